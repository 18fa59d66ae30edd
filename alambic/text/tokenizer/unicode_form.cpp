#include "alambic/text/tokenizer/unicode_form.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "alambic/base/error.h"
#include "alambic/base/utf8.h"

namespace alambic {

std::string unicode_form(std::string_view text, int options) {
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                   static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length < 0) throw input_error("cannot normalize the text: {}", utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(length)};
}

std::string lowercase(std::string_view text) {
  std::string lower;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_code_point(text, i);
    if (c == 0x130) {
      lower += "i\xCC\x87";  // the one character whose small form is two
    } else {
      append_utf8(lower, static_cast<char32_t>(utf8proc_tolower(static_cast<int32_t>(c))));
    }
  }
  return lower;
}

}  // namespace alambic
