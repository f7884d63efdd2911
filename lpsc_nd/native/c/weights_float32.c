/* Weights of type float, apart from the passes: what stands beside these changes how they are laid out, by some percent. */
#define real float
#define NAME float32
#include "weights.h"
