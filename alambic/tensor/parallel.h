// at::parallel_for, for the few loops over rows that are our own.
#pragma once

#include <ATen/Parallel.h>
