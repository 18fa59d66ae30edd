// The subset of CUDA that our .cu files are written in: threads of a block, shared memory,
// barriers, shuffles and votes of whole warps, atomics, and the functions of math.h. nvcc has it
// all; for every other compiler simt_fibers.h plays a block's threads on the CPU (docs/kernels.md).
// Outside: PTX, tensor cores, TMA, clusters, cp.async; those stay in libraries that we call.
#pragma once

#ifdef __CUDACC__
#include "alambic/kernels/cuda/simt_nvcc.h"
#else
#include "alambic/kernels/cuda/simt_fibers.h"
#endif
