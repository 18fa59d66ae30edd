#include "alambic/base/error.h"
#include "alambic/base/free_memory.h"
#include "alambic/base/units.h"
#include "alambic/model/load.h"
#include "alambic/tensor/normal_fill.h"

namespace alambic {

namespace {

// Refuses a model too large for main memory: a configuration without files may ask for anything.
void check_fits_in_memory(Model& model, const LoadOptions& options) {
  if (!options.device.is_cpu()) return;
  double bytes = 0;
  std::string largest;
  int64_t most = 0;
  model.visit([&](const std::string& name, const Weight& tensor) {
    bytes += static_cast<double>(tensor.numel()) *
             static_cast<double>(c10::elementSize(model.type_of(name, options.dtype)));
    if (tensor.numel() <= most) return;
    most = tensor.numel();
    largest = name + " " + shape_text(tensor.sizes());
  });
  if (const double available = free_memory(); bytes > available) {
    throw input_error(
        "cannot make a model of {} parameters: they take {}, and {} of memory are free; the "
        "largest tensor is {}",
        human_count(static_cast<double>(model.parameters())), human_bytes(bytes),
        human_bytes(available), largest)
        .with_hint("its config.json says how large it is: vocab_size, widths, layers, experts");
  }
}

}  // namespace

void init_weights(Model& model, uint64_t seed, const LoadOptions& options) {
  check_fits_in_memory(model, options);
  uint64_t index = 0;
  model.visit([&](const std::string& name, Tensor& tensor) {
    Tensor values = model.init_table(name);
    if (!values.defined()) {
      const double deviation = model.init_deviation(name);
      values = at::empty(tensor.sizes(), at::kFloat);
      if (deviation == 0) {
        values.fill_(model.init_constant(name));
      } else {
        fill_normal(values, deviation, {.seed = seed, .step = index});
      }
    }
    tensor = values.to(options.device, model.type_of(name, options.dtype));
    ++index;
  });
  model.set_trainable(options.trainable);
  model.move_buffers(options.device, options.dtype);
}

}  // namespace alambic
