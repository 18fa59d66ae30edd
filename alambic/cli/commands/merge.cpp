#include "alambic/cli/commands/merge_options.h"
#include "alambic/model/adapter.h"
#include "alambic/model/load.h"

namespace alambic {

int run(const MergeOptions& options) {
  const std::unique_ptr<Model> model = load_model(options.model, {.adapter = options.adapter});
  merge_adapter(*model);
  save_model(*model, options.out, nullptr);
  return 0;
}

}  // namespace alambic
