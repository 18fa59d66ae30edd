#include "alambic/jobs/logits.h"

#include "alambic/base/output_place.h"
#include "alambic/model/load.h"
#include "alambic/model/logits.h"
#include "alambic/model/pretrained.h"
#include "alambic/options/outputs.h"
#include "alambic/tensor/view.h"

namespace alambic {

void jobs::write_logits(const LogitsOptions& options) {
  check_outputs(OptionTable(options));
  check_output_file("--out", options.out, options.overwrite);
  LoadOptions load = prepare_machine(options.machine);
  load.adapter = options.adapter;
  const std::unique_ptr<Model> model = load_model(options.model, load);
  const auto sequences = read_sequences(options.tokens, model->shape());
  auto outputs = logits_of(*model, sequences, load.device, options.hidden);
  write_safetensors(options.out, to_views(outputs), {});
}

}  // namespace alambic
