#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "alambic/text/jinja/parser.h"

namespace alambic::jinja {
namespace {

constexpr int max_depth = 100;

// Nothing where 64 bits do not hold it. The least number is held by its minus sign alone.
std::optional<int64_t> read_integer(const Token& token, bool negative) {
  std::string_view digits = token.text;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char c = static_cast<char>(digits[1] | 0x20);
    base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  const std::string text = (negative ? "-" : "") + std::string(digits);
  int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

Value integer_of(const Token& token) {
  if (const auto number = read_integer(token, false)) return *number;
  throw Failure("TemplateSyntaxError", "the number " + token.text + " has more than 64 bits",
                token.line);
}

bool is_least_number(const Token& token) {
  return token.kind == Token::Kind::integer && !read_integer(token, false) &&
         read_integer(token, true);
}

}  // namespace

void Parser::check_depth(int depth) const {
  if (depth > max_depth) fail(fmt::format("expressions nest deeper than {}", max_depth));
}

ExpressionPtr Parser::make(Kind kind, int line, std::string text) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = line;
  node->text = std::move(text);
  return node;
}

void Parser::adopt(Expression& parent, ExpressionPtr child) const {
  if (child) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    check_depth(parent.depth);
  }
  parent.parts.push_back(std::move(child));
}

ExpressionPtr Parser::binary(Kind kind, std::string text, int line, ExpressionPtr a,
                             ExpressionPtr b) const {
  ExpressionPtr node = make(kind, line, std::move(text));
  adopt(*node, std::move(a));
  adopt(*node, std::move(b));
  return node;
}

ExpressionPtr Parser::expression(bool with_condition) {
  check_depth(++depth_);
  ExpressionPtr node = with_condition ? condition() : either();
  --depth_;
  return node;
}

ExpressionPtr Parser::condition() {
  int line = now().line;
  ExpressionPtr node = either();
  while (take_name("if")) {
    ExpressionPtr choice = make(Kind::conditional, line);
    adopt(*choice, either());
    adopt(*choice, std::move(node));
    adopt(*choice, take_name("else") ? expression() : nullptr);
    node = std::move(choice);
    line = now().line;
  }
  return node;
}

ExpressionPtr Parser::either() {
  const int line = now().line;
  ExpressionPtr node = both();
  while (take_name("or")) node = binary(Kind::either, "or", line, std::move(node), both());
  return node;
}

ExpressionPtr Parser::both() {
  const int line = now().line;
  ExpressionPtr node = inverse();
  while (take_name("and")) node = binary(Kind::both, "and", line, std::move(node), inverse());
  return node;
}

ExpressionPtr Parser::inverse() {
  const int line = now().line;
  if (!take_name("not")) return comparison();
  check_depth(++depth_);
  ExpressionPtr node = make(Kind::inverse, line);
  adopt(*node, inverse());
  --depth_;
  return node;
}

ExpressionPtr Parser::comparison() {
  static constexpr std::string_view symbols[] = {"==", "!=", "<", "<=", ">", ">="};
  const int line = now().line;
  ExpressionPtr first = sum();
  ExpressionPtr node;
  while (true) {
    std::string op;
    if (now().kind == Token::Kind::symbol && std::ranges::count(symbols, now().text) > 0) {
      op = take().text;
    } else if (take_name("in")) {
      op = "in";
    } else if (sees_name("not") && ahead().kind == Token::Kind::name && ahead().text == "in") {
      take();
      take();
      op = "not in";
    } else {
      return node ? std::move(node) : std::move(first);
    }
    if (!node) {
      node = make(Kind::compare, line);
      adopt(*node, std::move(first));
    }
    node->operators.push_back(op);
    adopt(*node, sum());
  }
}

ExpressionPtr Parser::sum() {
  const int line = now().line;
  ExpressionPtr node = concat();
  while (sees_symbol("+") || sees_symbol("-")) {
    std::string op = take().text;
    node = binary(Kind::binary, std::move(op), line, std::move(node), concat());
  }
  return node;
}

ExpressionPtr Parser::concat() {
  const int line = now().line;
  ExpressionPtr first = product();
  if (!sees_symbol("~")) return first;
  ExpressionPtr node = make(Kind::concat, line);
  adopt(*node, std::move(first));
  while (take_symbol("~")) adopt(*node, product());
  return node;
}

ExpressionPtr Parser::product() {
  const int line = now().line;
  ExpressionPtr node = power();
  while (sees_symbol("*") || sees_symbol("/") || sees_symbol("//") || sees_symbol("%")) {
    std::string op = take().text;
    node = binary(Kind::binary, std::move(op), line, std::move(node), power());
  }
  return node;
}

ExpressionPtr Parser::power() {
  const int line = now().line;
  ExpressionPtr node = unary();
  while (take_symbol("**")) node = binary(Kind::binary, "**", line, std::move(node), unary());
  return node;
}

ExpressionPtr Parser::unary(bool with_filter) {
  check_depth(++depth_);
  ExpressionPtr node;
  const int line = now().line;
  if (sees_symbol("-") || sees_symbol("+")) {
    node = make(Kind::negate, line, take().text);
    if (node->text == "-" && is_least_number(now())) {
      take();
      node = make(Kind::constant, line);
      node->constant = INT64_MIN;
    } else {
      adopt(*node, unary(false));
      node = postfix(std::move(node));
    }
  } else {
    node = postfix(primary());
  }
  if (with_filter) node = filters_and_tests(std::move(node));
  --depth_;
  return node;
}

ExpressionPtr Parser::name_or_constant(bool with_namespace) {
  const Token token = take();
  ExpressionPtr node = make(Kind::constant, token.line);
  if (token.text == "true" || token.text == "True") {
    node->constant = true;
  } else if (token.text == "false" || token.text == "False") {
    node->constant = false;
  } else if (token.text != "none" && token.text != "None") {
    node->kind = Kind::name;
    node->text = token.text;
    mentioned_.insert(token.text);
    if (with_namespace && take_symbol(".")) {
      node->kind = Kind::namespaced;
      node->constant = Value(expect_any_name());
    }
  }
  return node;
}

ExpressionPtr Parser::primary(bool with_namespace) {
  const Token token = now();
  if (token.kind == Token::Kind::name) return name_or_constant(with_namespace);
  if (sees_symbol("[")) return list();
  if (sees_symbol("{")) return dict();
  if (take_symbol("(")) {
    check_depth(++depth_);
    ExpressionPtr node = tuple(false, true, "", true);
    expect_symbol(")");
    --depth_;
    return node;
  }
  ExpressionPtr node = make(Kind::constant, token.line);
  if (token.kind == Token::Kind::string) {
    std::string text;
    while (now().kind == Token::Kind::string) text += take().text;
    node->constant = Value(std::move(text));
  } else if (token.kind == Token::Kind::integer) {
    node->constant = integer_of(take());
  } else if (token.kind == Token::Kind::real) {
    node->constant = std::strtod(take().text.c_str(), nullptr);
  } else {
    fail("an expression");
  }
  return node;
}

ExpressionPtr Parser::tuple(bool simple, bool with_condition, std::string_view end,
                            bool in_parentheses, bool with_namespace) {
  const auto ends = [&] {
    return now().kind == Token::Kind::variable_end || now().kind == Token::Kind::block_end ||
           sees_symbol(")") || (!end.empty() && sees_name(end));
  };
  ExpressionPtr node = make(Kind::tuple, now().line);
  bool is_tuple = false;
  while (!ends()) {
    adopt(*node, simple ? primary(with_namespace) : expression(with_condition));
    if (!take_symbol(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return node;
  if (!node->parts.empty()) return std::move(node->parts.front());
  if (!in_parentheses) fail("an expression");
  return node;
}

ExpressionPtr Parser::list() {
  ExpressionPtr node = make(Kind::list, now().line);
  expect_symbol("[");
  while (!sees_symbol("]")) {
    adopt(*node, expression());
    if (!take_symbol(",")) break;
  }
  expect_symbol("]");
  return node;
}

ExpressionPtr Parser::dict() {
  ExpressionPtr node = make(Kind::dict, now().line);
  expect_symbol("{");
  while (!sees_symbol("}")) {
    adopt(*node, expression());
    expect_symbol(":");
    adopt(*node, expression());
    if (!take_symbol(",")) break;
  }
  expect_symbol("}");
  return node;
}

ExpressionPtr Parser::postfix(ExpressionPtr node) {
  while (true) {
    if (sees_symbol(".") || sees_symbol("[")) {
      node = subscript(std::move(node));
    } else if (sees_symbol("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr Parser::subscript(ExpressionPtr node) {
  const int line = now().line;
  if (take_symbol("[")) return subscript_part(std::move(node));
  expect_symbol(".");
  if (now().kind == Token::Kind::name) {
    ExpressionPtr attribute = make(Kind::attribute, line, take().text);
    adopt(*attribute, std::move(node));
    return attribute;
  }
  if (now().kind != Token::Kind::integer) fail("a name or a number");
  ExpressionPtr number = make(Kind::constant, line);
  number->constant = integer_of(take());
  return binary(Kind::item, "", line, std::move(node), std::move(number));
}

ExpressionPtr Parser::subscript_part(ExpressionPtr node) {
  const int line = now().line;
  ExpressionPtr first = sees_symbol(":") ? nullptr : expression();
  if (!sees_symbol(":")) {
    if (sees_symbol(",")) {
      ExpressionPtr key = make(Kind::tuple, line);
      adopt(*key, std::move(first));
      while (take_symbol(",")) adopt(*key, expression());
      first = std::move(key);
    }
    expect_symbol("]");
    return binary(Kind::item, "", line, std::move(node), std::move(first));
  }
  ExpressionPtr slice = make(Kind::slice, line);
  adopt(*slice, std::move(node));
  adopt(*slice, std::move(first));
  for (int i = 0; i < 2; ++i) {
    const bool there = take_symbol(":") && !sees_symbol(":") && !sees_symbol("]");
    adopt(*slice, there ? expression() : nullptr);
  }
  expect_symbol("]");
  return slice;
}

ExpressionPtr Parser::filters_and_tests(ExpressionPtr node) {
  while (true) {
    if (sees_symbol("|")) {
      node = filters(std::move(node));
    } else if (sees_name("is")) {
      node = test(std::move(node));
    } else if (sees_symbol("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

}  // namespace alambic::jinja
