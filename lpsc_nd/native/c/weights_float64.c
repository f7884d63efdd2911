/* The same of type double. */
#define real double
#define NAME float64
#include "weights.h"
