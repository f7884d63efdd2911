/* The passes on values of type float. */
#define real float
#define NAME float32
#include "depthwise.h"
#include "mixed.h"

int64_t lpsc_version(void) { return VERSION; }
