#include "alambic/text/jinja/parser.h"

#include <algorithm>

namespace alambic::jinja {
namespace {

std::string describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::data:
      return "text";
    case Token::Kind::variable_begin:
      return "{{";
    case Token::Kind::variable_end:
      return "}}";
    case Token::Kind::block_begin:
      return "{%";
    case Token::Kind::block_end:
      return "%}";
    case Token::Kind::string:
      return "the string '" + token.text.substr(0, 40) + "'";
    case Token::Kind::end:
      return "the end of the template";
    default:
      return "'" + token.text.substr(0, 40) + "'";
  }
}

}  // namespace

Token Parser::take() {
  Token token = now();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::sees_symbol(std::string_view text) const {
  return now().kind == Token::Kind::symbol && now().text == text;
}
bool Parser::sees_name(std::string_view text) const {
  return now().kind == Token::Kind::name && now().text == text;
}
bool Parser::take_symbol(std::string_view text) {
  const bool there = sees_symbol(text);
  if (there) take();
  return there;
}
bool Parser::take_name(std::string_view text) {
  const bool there = sees_name(text);
  if (there) take();
  return there;
}
void Parser::expect_symbol(std::string_view text) {
  if (!take_symbol(text)) fail(fmt::format("'{}'", text));
}
void Parser::expect_name(std::string_view text) {
  if (!take_name(text)) fail(fmt::format("'{}'", text));
}
void Parser::expect(Token::Kind kind) {
  if (now().kind != kind) fail(describe({kind, "", 0}));
  take();
}
std::string Parser::expect_any_name() {
  if (now().kind != Token::Kind::name) fail("a name");
  return take().text;
}

void Parser::fail(const std::string& message) const {
  throw Failure("TemplateSyntaxError",
                fmt::format("expected {}, found {}", message, describe(now())), now().line);
}

Body Parser::statements(Names ends) {
  Body body;
  check_depth(++depth_);
  while (now().kind != Token::Kind::end) {
    Statement made;
    made.line = now().line;
    if (now().kind == Token::Kind::data) {
      made.text = take().text;
    } else if (now().kind == Token::Kind::variable_begin) {
      take();
      made.kind = Statement::Kind::print;
      made.expressions.push_back(tuple(false, true, ""));
      expect(Token::Kind::variable_end);
    } else {
      expect(Token::Kind::block_begin);
      if (now().kind != Token::Kind::name) fail("a tag's name");
      if (std::ranges::count(ends, now().text) > 0) {
        --depth_;
        return body;
      }
      made = statement();
      expect(Token::Kind::block_end);
    }
    body.push_back(std::move(made));
  }
  --depth_;
  return body;
}

Body Parser::body(Names ends) {
  take_symbol(":");
  expect(Token::Kind::block_end);
  Body inside = statements(ends);
  if (now().kind == Token::Kind::end) fail(fmt::format("{{% {} %}}", *std::prev(ends.end())));
  return inside;
}

Body Parser::body_until(std::string_view end) {
  Body inside = body({end});
  take();
  return inside;
}

Statement Parser::statement() {
  const std::string tag = now().text;
  if (tag == "set") return set_statement();
  if (tag == "for") return for_statement();
  if (tag == "if") return if_statement();
  if (tag == "with") return with_statement();
  if (tag == "macro") return macro_statement();
  if (tag == "call") return call_statement();
  if (tag == "block") return block_statement();
  if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") {
    return other_template_statement();
  }
  Statement made;
  made.line = take().line;
  if (tag == "break" || tag == "continue") {
    if (loops_ == 0) fail(fmt::format("a loop around '{}'", tag));
    made.kind = tag == "break" ? Statement::Kind::leave : Statement::Kind::next;
  } else if (tag == "generation") {
    made.kind = Statement::Kind::generation;
    made.bodies.push_back(body_until("endgeneration"));
  } else if (tag == "filter") {
    made.kind = Statement::Kind::filter;
    made.expressions.push_back(filters(nullptr, true));
    made.bodies.push_back(body_until("endfilter"));
  } else if (tag == "print") {
    made.kind = Statement::Kind::print;
    made.expressions.push_back(expression());
  } else {
    throw Failure("TemplateSyntaxError",
                  tag == "autoescape" ? "the tag 'autoescape' is not built"
                                      : fmt::format("Encountered unknown tag '{}'.", tag),
                  made.line);
  }
  return made;
}

ExpressionPtr Parser::target(std::string_view end, bool with_namespace) {
  ExpressionPtr node = tuple(true, true, end, false, with_namespace);
  check_target(*node);
  return node;
}

void Parser::check_target(const Expression& node) const {
  if (node.kind == Kind::tuple) {
    for (const ExpressionPtr& part : node.parts) check_target(*part);
  } else if (node.kind != Kind::name && node.kind != Kind::namespaced) {
    throw Failure("TemplateSyntaxError", "can't assign to a constant or an expression", node.line);
  }
}

Statement Parser::set_statement() {
  Statement made;
  made.line = take().line;
  made.target = target("", true);
  if (take_symbol("=")) {
    made.kind = Statement::Kind::set;
    made.expressions.push_back(tuple(false, true, ""));
  } else {
    made.kind = Statement::Kind::set_block;
    made.expressions.push_back(filters(nullptr));
    made.bodies.push_back(body_until("endset"));
  }
  return made;
}

Statement Parser::for_statement() {
  Statement made;
  made.kind = Statement::Kind::loop;
  made.line = take().line;
  made.target = target("in", false);
  expect_name("in");
  made.expressions.push_back(tuple(false, false, "recursive"));
  made.expressions.push_back(take_name("if") ? expression() : nullptr);
  made.recursive = take_name("recursive");
  ++loops_;
  made.bodies.push_back(body({"else", "endfor"}));
  --loops_;
  if (take().text == "else") made.bodies.push_back(body_until("endfor"));
  return made;
}

Statement Parser::if_statement() {
  Statement made;
  made.kind = Statement::Kind::choose;
  made.line = now().line;
  std::string tag = "if";
  take();
  while (tag != "endif") {
    if (tag != "else") made.expressions.push_back(tuple(false, false, ""));
    made.bodies.push_back(tag == "else" ? body({"endif"}) : body({"elif", "else", "endif"}));
    tag = take().text;
  }
  return made;
}

Statement Parser::with_statement() {
  Statement made;
  made.kind = Statement::Kind::with;
  made.line = take().line;
  while (now().kind != Token::Kind::block_end) {
    if (!made.targets.empty()) expect_symbol(",");
    ExpressionPtr one = primary();
    check_target(*one);
    made.targets.push_back(std::move(one));
    expect_symbol("=");
    made.expressions.push_back(expression());
  }
  made.bodies.push_back(body_until("endwith"));
  return made;
}

Signature Parser::signature() {
  Signature made;
  expect_symbol("(");
  while (!sees_symbol(")")) {
    if (!made.names.empty()) expect_symbol(",");
    made.names.push_back(expect_any_name());
    if (take_symbol("=")) {
      made.defaults.push_back(expression());
    } else if (!made.defaults.empty()) {
      fail("a default value, as the parameter before has one");
    }
  }
  expect_symbol(")");
  return made;
}

std::shared_ptr<MacroCode> Parser::macro_code(std::string name, Signature signature,
                                              std::string_view end) {
  auto code = std::make_shared<MacroCode>();
  code->name = std::move(name);
  code->signature = std::move(signature);
  std::set<std::string> outside;
  std::swap(outside, mentioned_);
  const int loops = std::exchange(loops_, 0);
  const auto caller = std::ranges::find(code->signature.names, "caller");
  if (code->signature.names.end() - caller >
      static_cast<ptrdiff_t>(code->signature.defaults.size())) {
    fail("a default value for the parameter \"caller\"");
  }
  code->body = body_until(end);
  loops_ = loops;
  code->takes_caller = mentioned_.contains("caller");
  code->takes_names = mentioned_.contains("kwargs");
  code->takes_rest = mentioned_.contains("varargs");
  mentioned_.merge(outside);
  return code;
}

Statement Parser::macro_statement() {
  Statement made;
  made.kind = Statement::Kind::macro;
  made.line = take().line;
  made.text = expect_any_name();
  Signature parameters = signature();
  made.macro = macro_code(made.text, std::move(parameters), "endmacro");
  return made;
}

Statement Parser::call_statement() {
  Statement made;
  made.kind = Statement::Kind::call;
  made.line = take().line;
  Signature parameters;
  if (sees_symbol("(")) parameters = signature();
  made.expressions.push_back(expression());
  if (made.expressions.front()->kind != Kind::call) fail("a call");
  made.macro = macro_code("", std::move(parameters), "endcall");
  return made;
}

Statement Parser::block_statement() {
  Statement made;
  made.kind = Statement::Kind::block;
  made.line = take().line;
  made.text = expect_any_name();
  made.scoped = take_name("scoped");
  take_name("required");
  const int loops = std::exchange(loops_, 0);
  made.bodies.push_back(body_until("endblock"));
  loops_ = loops;
  take_name(made.text);
  return made;
}

Statement Parser::other_template_statement() {
  Statement made;
  made.kind = Statement::Kind::other_template;
  made.text = now().text;
  made.line = take().line;
  while (now().kind != Token::Kind::block_end && now().kind != Token::Kind::end) take();
  return made;
}

Body parse_template(std::string_view source) { return Parser(tokenize_template(source)).parse(); }

}  // namespace alambic::jinja
