#pragma once

#include <string>

namespace alambic {

/// Name in the text model alone of a tensor of the whole model, which may be spelled as in
/// transformers 4.50 or 5 or in the text model; "" for what sees or hears.
std::string name_in_text_part(const std::string& name);

}  // namespace alambic
