#include "alambic/jobs/merge_adapter.h"

#include "alambic/model/adapter.h"
#include "alambic/model/load.h"

namespace alambic {

void jobs::merge_adapter(const MergeAdapterOptions& options) {
  const std::unique_ptr<Model> model = load_model(options.model, {.adapter = options.adapter});
  alambic::merge_adapter(*model);
  save_model(*model, options.out, nullptr);
}

}  // namespace alambic
