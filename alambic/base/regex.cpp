#include "alambic/base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "alambic/base/error.h"
#include "alambic/base/utf8.h"

namespace alambic {
namespace {

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

std::string reason(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

constexpr size_t max_jit_stack = size_t{16} << 20;

// Only when the 32 KiB on the machine's stack were too small.
int match_on_a_larger_stack(const pcre2_code* code, std::string_view text, size_t start,
                            uint32_t options, pcre2_match_data* data) {
  Owned<pcre2_match_context> context(pcre2_match_context_create(nullptr));
  Owned<pcre2_jit_stack> stack(pcre2_jit_stack_create(64 << 10, max_jit_stack, nullptr));
  pcre2_set_match_limit(context.get(), Regex::match_limit);
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start, options,
                     data, context.get());
}

// Outside [] Oniguruma takes the superscripts and fractions of Latin-1 for word characters; inside
// it does not.
constexpr std::string_view word_outside_class =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}])";
constexpr std::string_view no_word_outside_class =
    R"([^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}])";

// Replacement of `\s`, `\w`, … ; "" when both engines agree on the escape.
std::string_view translate_escape(char letter, bool in_class) {
  switch (letter) {
    case 's':
      return "\\p{White_Space}";
    case 'S':
      return "\\P{White_Space}";
    case 'w':
      return in_class ? "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}" : word_outside_class;
    case 'W':
      if (in_class) throw input_error("\\W inside [] is not built");
      return no_word_outside_class;
    case 'h':
      return in_class ? "0-9a-fA-F" : "[0-9a-fA-F]";
    case 'H':
      if (in_class) throw input_error("\\H inside [] is not built");
      return "[^0-9a-fA-F]";
    default:
      return "";
  }
}

// Most named classes hold other characters in the two engines.
std::string_view translate_posix(std::string_view name) {
  if (name == "[:alpha:]") return "\\p{Alphabetic}";
  if (name == "[:digit:]") return "\\p{Nd}";
  if (name == "[:space:]") return "\\p{White_Space}";
  throw input_error("the class {} is not built; known: [:alpha:], [:digit:], [:space:]", name);
}

}  // namespace

struct Regex::Compiled {
  Owned<pcre2_code> code;
  Owned<pcre2_match_context> context;
};

std::string translate_regex(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  size_t class_start = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const std::string_view rest = pattern.substr(i);
    if (c == '\\' && i + 1 < pattern.size()) {
      const std::string_view translated = translate_escape(pattern[i + 1], in_class);
      out += translated.empty() ? rest.substr(0, 2) : translated;
      ++i;
    } else if (!in_class && c == '[') {
      in_class = true;
      class_start = i + (rest.starts_with("[^") ? 2 : 1);
      out += c;
    } else if (in_class && rest.starts_with("[:")) {
      const size_t end = rest.find(":]");
      if (end == std::string_view::npos) throw input_error("\"[:\" without \":]\"");
      out += translate_posix(rest.substr(0, end + 2));
      i += end + 1;
    } else if (in_class && (c == '[' || rest.starts_with("&&"))) {
      throw input_error("classes inside classes and \"&&\" are not built");
    } else {
      if (in_class && c == ']' && i != class_start) in_class = false;
      out += c;
    }
  }
  return out;
}

Regex::Regex(std::string_view pattern) : pattern_(pattern) {
  int code = 0;
  size_t position = 0;
  std::string translated;
  try {
    translated = translate_regex(pattern);
  } catch (const Error& error) {
    throw input_error("the regular expression \"{}\" cannot be used: {}", pattern, error.what());
  }
  auto compiled = std::make_shared<Compiled>();
  // Ruby's ^ and $ always match at line ends.
  compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                     translated.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                     &code, &position, nullptr));
  if (!compiled->code) {
    throw input_error("the regular expression \"{}\" does not compile: {}, at byte {} of \"{}\"",
                      pattern, reason(code), position, translated);
  }
  pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);  // without it: slower, same matches
  compiled->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(compiled->context.get(), match_limit);
  pcre2_set_heap_limit(compiled->context.get(), 64 << 10);
  compiled_ = std::move(compiled);
}

std::vector<Range> Regex::find_all(std::string_view text) const {
  std::vector<Range> ranges;
  Owned<pcre2_match_data> data(pcre2_match_data_create(1, nullptr));
  const size_t* found = pcre2_get_ovector_pointer(data.get());
  for (size_t start = 0; start <= text.size();) {
    const pcre2_code* code = compiled_->code.get();
    int count = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                            PCRE2_NO_UTF_CHECK, data.get(), compiled_->context.get());
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) {
      count = match_on_a_larger_stack(code, text, start, PCRE2_NO_UTF_CHECK, data.get());
    }
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) {
      throw input_error("the regular expression \"{}\" fails on this text at byte {}: {}", pattern_,
                        start, reason(count));
    }
    if (found[1] < found[0]) throw input_error("\\K in \"{}\" is not built", pattern_);
    ranges.push_back({found[0], found[1]});
    start = found[1];
    if (found[0] == found[1]) {
      start += start < text.size() ? utf8_length(static_cast<unsigned char>(text[start])) : 1;
    }
  }
  return ranges;
}

}  // namespace alambic
