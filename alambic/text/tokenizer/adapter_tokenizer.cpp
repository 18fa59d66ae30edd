#include "alambic/text/tokenizer/adapter_tokenizer.h"

#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

std::string tokenizer_folder(const std::string& model, const std::string& adapter) {
  if (adapter.empty() || !has_tokenizer(adapter)) return model;
  if (!has_tokenizer(model)) return adapter;
  const std::string difference =
      describe_difference(load_tokenizer(model), load_tokenizer(adapter), "model", "adapter");
  return difference.empty() ? model : adapter;
}

}  // namespace alambic
