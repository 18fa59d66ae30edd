#include "alambic/text/tokenizer/metaspace.h"

#include "alambic/base/json_view.h"

namespace alambic {

Metaspace read_metaspace(const JsonView& json) {
  Metaspace options;
  options.replacement = json.string_or("replacement", options.replacement);
  if (options.replacement.empty()) throw json.at("replacement").wrong("expected a character");
  options.split = json.boolean_or("split", true);
  if (const auto scheme = json.find("prepend_scheme")) {
    const std::string_view name = scheme->string();
    if (name == "first") {
      options.prepend = Metaspace::Prepend::first;
    } else if (name == "never") {
      options.prepend = Metaspace::Prepend::never;
    } else if (name != "always") {
      throw scheme->unknown({"first", "always", "never"});
    }
  }
  if (!json.boolean_or("add_prefix_space", true)) options.prepend = Metaspace::Prepend::never;
  return options;
}

}  // namespace alambic
