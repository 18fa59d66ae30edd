// A template's text as tokens, with white space already controlled: {%- and -%} strip, a line break
// after a block tag is dropped, and so are blanks before one (trim_blocks and lstrip_blocks).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alambic::jinja {

struct Token {
  enum class Kind {
    data,
    variable_begin,
    variable_end,
    block_begin,
    block_end,
    name,
    string,
    integer,
    real,
    symbol,
    end
  };
  Kind kind = Kind::end;
  std::string text;  ///< strings are unescaped, numbers without underscores
  int line = 0;
};

/// Failures are TemplateSyntaxErrors with their line.
std::vector<Token> tokenize_template(std::string_view source);

}  // namespace alambic::jinja
