// Tokens to a tree, by Jinja's grammar and precedences.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/text/jinja/ast.h"
#include "alambic/text/jinja/lexer.h"

namespace alambic::jinja {

/// Failures are TemplateSyntaxErrors with their line.
Body parse_template(std::string_view source);

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  Body parse() { return statements({}); }

 private:
  using Kind = Expression::Kind;
  using Names = std::initializer_list<std::string_view>;

  // Tokens.
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take();
  bool sees_symbol(std::string_view text) const;
  bool sees_name(std::string_view text) const;
  bool take_symbol(std::string_view text);
  bool take_name(std::string_view text);
  void expect_symbol(std::string_view text);
  void expect_name(std::string_view text);
  void expect(Token::Kind kind);
  std::string expect_any_name();
  [[noreturn]] void fail(const std::string& message) const;
  void check_depth(int depth) const;

  // Expressions, from the loosest to the tightest (expression_parser.cpp).
  ExpressionPtr expression(bool with_condition = true);
  ExpressionPtr condition();
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr inverse();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concat();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filter = true);
  ExpressionPtr primary(bool with_namespace = false);
  ExpressionPtr name_or_constant(bool with_namespace);
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr node);
  ExpressionPtr subscript_part(ExpressionPtr node);
  ExpressionPtr filters_and_tests(ExpressionPtr node);
  ExpressionPtr filters(ExpressionPtr node, bool without_bar = false);
  ExpressionPtr test(ExpressionPtr node);
  ExpressionPtr call(ExpressionPtr node);
  std::vector<Argument> call_arguments();
  Argument call_argument();
  std::string dotted_name();
  /// `a, b` is a tuple, `a` is not. `simple` allows only names and constants.
  ExpressionPtr tuple(bool simple, bool with_condition, std::string_view end,
                      bool in_parentheses = false, bool with_namespace = false);
  ExpressionPtr make(Kind kind, int line, std::string text = "") const;
  ExpressionPtr binary(Kind kind, std::string text, int line, ExpressionPtr a,
                       ExpressionPtr b) const;
  void adopt(Expression& parent, ExpressionPtr child) const;

  // Statements (parser.cpp).
  Body statements(Names ends);
  /// Statements from the end of the opening tag to one of `ends`, which is the current token
  /// afterwards.
  Body body(Names ends);
  Body body_until(std::string_view end);
  Statement statement();
  Statement set_statement();
  Statement for_statement();
  Statement if_statement();
  Statement with_statement();
  Statement macro_statement();
  Statement call_statement();
  Statement block_statement();
  Statement other_template_statement();
  Signature signature();
  std::shared_ptr<MacroCode> macro_code(std::string name, Signature signature,
                                        std::string_view end);
  ExpressionPtr target(std::string_view end, bool with_namespace);
  void check_target(const Expression& node) const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;                    // parsing functions that call each other
  int loops_ = 0;                    // loops around the current statement, within its macro
  std::set<std::string> mentioned_;  // names that the innermost macro's body reads
};

}  // namespace alambic::jinja
