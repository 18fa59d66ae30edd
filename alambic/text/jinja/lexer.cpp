#include "alambic/text/jinja/lexer.h"

#include <algorithm>
#include <cctype>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/failure.h"
#include "alambic/text/jinja/string_literal.h"
#include "alambic/text/jinja/unicode.h"

namespace alambic::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(unify_newlines(source)) {
    if (source_.ends_with('\n')) source_.pop_back();
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    add(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw Failure("TemplateSyntaxError", message, line_);
  }
  void add(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line_});
  }
  void move_to(size_t position) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                         source_.begin() + static_cast<ptrdiff_t>(position), '\n'));
    line_starting_ = position > 0 && source_[position - 1] == '\n';
    at_ = position;
  }
  size_t after_space(size_t position) const {
    while (position < source_.size()) {
      size_t next = position;
      if (!is_space_character(next_code_point(source_, next))) break;
      position = next;
    }
    return position;
  }

  // The position behind a closing tag such as "%}" at `position`, with what it takes along; npos
  // when it is not there.
  size_t closing(size_t position, std::string_view tag, bool keeps_plus, bool trims) const {
    const std::string_view rest =
        std::string_view(source_).substr(std::min(position, source_.size()));
    if (rest.starts_with('-') && rest.substr(1).starts_with(tag)) {
      return after_space(position + 1 + tag.size());
    }
    if (keeps_plus && rest.starts_with('+') && rest.substr(1).starts_with(tag)) {
      return position + 1 + tag.size();
    }
    if (!rest.starts_with(tag)) return std::string::npos;
    position += tag.size();
    return trims && position < source_.size() && source_[position] == '\n' ? position + 1
                                                                           : position;
  }

  // Text up to a tag whose mark (after "{%") is `mark`: the tag decides about the blanks before it.
  void add_data(std::string_view text, char mark, bool is_variable) {
    const size_t start_of_line = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
    const std::string_view last_line = text.substr(start_of_line);
    const bool blank = !last_line.empty() && strip(last_line, nullptr, true, false).empty();
    std::string kept(text);
    if (mark == '-') {
      kept = strip(text, nullptr, false, true);
    } else if (mark != '+' && !is_variable && blank && (start_of_line > 0 || line_starting_)) {
      kept.resize(start_of_line);
    }
    if (!kept.empty()) add(Token::Kind::data, kept);
  }

  // The end of the tag {% name %}, which begins at `position`; npos when it is another tag.
  size_t bare_tag(size_t position, std::string_view name, bool is_end) const {
    size_t i = position + 2;
    if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
    i = after_space(i);
    if (!std::string_view(source_).substr(i).starts_with(name)) return std::string::npos;
    return closing(after_space(i + name.size()), "%}", is_end, is_end);
  }

  char mark_at(size_t position) const {
    const char c = position + 2 < source_.size() ? source_[position + 2] : ' ';
    return c == '-' || c == '+' ? c : ' ';
  }

  void read_data() {
    size_t tag = source_.find('{', at_);
    while (tag != std::string::npos && tag + 1 < source_.size() &&
           std::string_view("%{#").find(source_[tag + 1]) == std::string_view::npos) {
      tag = source_.find('{', tag + 1);
    }
    if (tag == std::string::npos || tag + 1 >= source_.size()) {
      add(Token::Kind::data, source_.substr(at_));
      return move_to(source_.size());
    }
    const char kind = source_[tag + 1];
    const char mark = mark_at(tag);
    add_data(std::string_view(source_).substr(at_, tag - at_), mark, kind == '{');
    move_to(tag);
    const size_t inside = tag + (mark == ' ' ? 2 : 3);
    if (kind == '#') return read_comment(inside);
    if (kind == '%') {
      if (const size_t raw = bare_tag(tag, "raw", false); raw != std::string::npos) {
        return read_raw(raw);
      }
    }
    add(kind == '{' ? Token::Kind::variable_begin : Token::Kind::block_begin, "");
    move_to(inside);
    read_code(kind == '{');
  }

  void read_comment(size_t position) {
    for (size_t end = source_.find("#}", position); end != std::string::npos;
         end = source_.find("#}", end + 1)) {
      const bool marked = end > position && (source_[end - 1] == '-' || source_[end - 1] == '+');
      return move_to(closing(marked ? end - 1 : end, "#}", true, true));
    }
    fail("Missing end of comment tag");
  }

  void read_raw(size_t position) {
    move_to(position);
    for (size_t tag = source_.find("{%", position); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      const size_t end = bare_tag(tag, "endraw", true);
      if (end == std::string::npos) continue;
      add_data(std::string_view(source_).substr(position, tag - position), mark_at(tag), false);
      return move_to(end);
    }
    fail("Missing end of raw directive");
  }

  void read_code(bool is_variable) {
    std::string open;  // brackets still open: "}}" inside a dict does not end the tag
    while (at_ < source_.size()) {
      const size_t end =
          is_variable ? closing(at_, "}}", false, false) : closing(at_, "%}", true, true);
      if (open.empty() && end != std::string::npos) {
        add(is_variable ? Token::Kind::variable_end : Token::Kind::block_end, "");
        return move_to(end);
      }
      if (const size_t next = after_space(at_); next > at_) {
        move_to(next);
      } else if (!read_number() && !read_name() && !read_string()) {
        read_symbol(open);
      }
    }
  }

  // Digits that single underscores may divide, from `i` on; returns the end.
  size_t digits(size_t i) const {
    while (i < source_.size() &&
           (is_digit(source_[i]) || (source_[i] == '_' && i > 0 && is_digit(source_[i - 1]) &&
                                     i + 1 < source_.size() && is_digit(source_[i + 1])))) {
      ++i;
    }
    return i;
  }

  size_t exponent(size_t i) const {
    if (i >= source_.size() || (source_[i] != 'e' && source_[i] != 'E')) return i;
    size_t start = i + 1;
    if (start < source_.size() && (source_[start] == '+' || source_[start] == '-')) ++start;
    const bool has_digits = start < source_.size() && is_digit(source_[start]);
    return has_digits ? digits(start) : i;
  }

  void add_number(Token::Kind kind, size_t end) {
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    add(kind, std::move(text));
    move_to(end);
  }

  bool read_number() {
    if (!is_digit(source_[at_])) return false;
    const size_t whole = digits(at_);
    size_t end = whole;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      end = digits(end + 1);
    }
    end = exponent(end);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (end > whole && !after_dot) return add_number(Token::Kind::real, end), true;
    if (const size_t other = other_base(); other > at_) {
      return add_number(Token::Kind::integer, other), true;
    }
    if (source_[at_] != '0') return add_number(Token::Kind::integer, whole), true;
    size_t zeros = at_;
    while (zeros < whole && (source_[zeros] == '0' || source_[zeros] == '_')) ++zeros;
    add_number(Token::Kind::integer, zeros);
    return true;
  }

  size_t other_base() const {
    if (source_[at_] != '0' || at_ + 2 >= source_.size()) return at_;
    const char base = static_cast<char>(std::tolower(source_[at_ + 1]));
    const std::string_view known = base == 'x'   ? "0123456789abcdefABCDEF"
                                   : base == 'o' ? "01234567"
                                   : base == 'b' ? "01"
                                                 : "";
    size_t end = at_ + 2;
    while (end < source_.size() && known.find(source_[end]) != known.npos) ++end;
    return end == at_ + 2 ? at_ : end;
  }

  bool read_name() {
    size_t end = at_;
    while (end < source_.size()) {
      size_t next = end;
      const char32_t c = next_code_point(source_, next);
      if (!is_word(c)) break;
      end = next;
    }
    if (end == at_) return false;
    add(Token::Kind::name, source_.substr(at_, end - at_));
    move_to(end);
    return true;
  }

  bool read_string() {
    const char quote = source_[at_];
    if (quote != '\'' && quote != '"') return false;
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail(fmt::format("unexpected char {:?} at {}", quote, at_));
    try {
      add(Token::Kind::string, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    } catch (const Failure& failure) {
      fail(failure.what());
    }
    move_to(end + 1);
    return true;
  }

  void read_symbol(std::string& open) {
    static constexpr std::string_view doubles[] = {"**", "//", "==", "!=", ">=", "<="};
    const std::string_view rest = std::string_view(source_).substr(at_);
    const bool is_double = std::ranges::find(doubles, rest.substr(0, 2)) != std::end(doubles);
    const char c = rest.front();
    if (!is_double && std::string_view("+-*/%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      size_t next = at_;
      next_code_point(source_, next);
      fail(fmt::format("unexpected char '{}' at {}", source_.substr(at_, next - at_), at_));
    }
    const std::string_view opening = "{[(";
    const std::string_view closings = "}])";
    if (opening.find(c) != opening.npos) {
      open += closings[opening.find(c)];
    } else if (closings.find(c) != closings.npos) {
      if (open.empty()) fail(fmt::format("unexpected '{}'", c));
      if (open.back() != c) fail(fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      open.pop_back();
    }
    const size_t size = is_double ? 2 : 1;
    add(Token::Kind::symbol, std::string(rest.substr(0, size)));
    move_to(at_ + size);
  }

  std::string source_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
};

}  // namespace

std::vector<Token> tokenize_template(std::string_view source) {
  if (!is_valid_utf8(source)) throw Failure("TemplateSyntaxError", "it is not valid UTF-8", 1);
  return Lexer(source).run();
}

}  // namespace alambic::jinja
