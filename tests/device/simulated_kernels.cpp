#include "tests/device/simulated_kernels.h"

#include "alambic/kernels/device.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_graphs.h"
#include "tests/device/simulated_memory.h"
#include "tests/device/simulated_streams.h"

#ifdef ALAMBIC_SIMT
#include "alambic/kernels/cuda/simt_fibers.h"

extern "C" const alambic::kernels::DeviceTable* alambic_device_table();
#endif

namespace alambic::simulated {

#ifdef ALAMBIC_SIMT

bool has_kernels() { return true; }

// As on a GPU a kernel runs behind what was given to its stream, and behind nothing else.
void use_kernels() {
  kernels::use_device_kernels(
      kType, {.table = alambic_device_table(),
              .shift = Memory::of_device().shift(),
              .around = [](void* stream, const std::function<void(void*)>& launch) {
                wait_for(stream_of(stream));
                const int64_t before = simt::launches();
                launch(stream);
                count_kernels(simt::launches() - before);
                record_step([launch, stream] { launch(stream); });
              }});
}

#else

bool has_kernels() { return false; }
void use_kernels() {}

#endif

WithoutKernels::WithoutKernels() { kernels::use_device_kernels(kType, {}); }
WithoutKernels::~WithoutKernels() { use_kernels(); }

}  // namespace alambic::simulated
