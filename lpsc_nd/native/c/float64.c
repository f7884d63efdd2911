/* The passes on values of type double. */
#define real double
#define NAME float64
#include "depthwise.h"
#include "mixed.h"
