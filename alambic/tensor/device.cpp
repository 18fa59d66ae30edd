#include "alambic/tensor/tensor.h"
