#include <gloo/context.h>  // all names are there
