// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as OpenAI's
// clients read them.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Appends one event. The data is one line: JSON as compact_json writes it, or [DONE].
inline void append_event(std::string& stream, std::string_view data) {
  stream += "data: ";
  stream += data;
  stream += "\n\n";
}

inline constexpr std::string_view stream_end = "[DONE]";

}  // namespace alambic
