// Filters, tests and calls, and their arguments.
#include "alambic/text/jinja/parser.h"

namespace alambic::jinja {

std::string Parser::dotted_name() {
  std::string name = expect_any_name();
  while (take_symbol(".")) name += "." + expect_any_name();
  return name;
}

ExpressionPtr Parser::filters(ExpressionPtr node, bool without_bar) {
  while (without_bar || take_symbol("|")) {
    const int line = now().line;
    ExpressionPtr filter = make(Kind::filter, line, dotted_name());
    adopt(*filter, std::move(node));
    if (sees_symbol("(")) filter->arguments = call_arguments();
    node = std::move(filter);
    without_bar = false;
  }
  return node;
}

ExpressionPtr Parser::test(ExpressionPtr node) {
  const int line = take().line;
  const bool negated = take_name("not");
  ExpressionPtr test = make(Kind::test, line, dotted_name());
  adopt(*test, std::move(node));
  const bool word = now().kind == Token::Kind::name && !sees_name("else") && !sees_name("or") &&
                    !sees_name("and");
  if (sees_symbol("(")) {
    test->arguments = call_arguments();
  } else if (word || now().kind == Token::Kind::string || now().kind == Token::Kind::integer ||
             now().kind == Token::Kind::real || sees_symbol("[") || sees_symbol("{")) {
    if (sees_name("is")) fail("no second \"is\": tests cannot be chained");
    Argument argument;
    argument.value = postfix(primary());
    test->arguments.push_back(std::move(argument));
  }
  if (!negated) return test;
  ExpressionPtr inverse = make(Kind::inverse, line);
  adopt(*inverse, std::move(test));
  return inverse;
}

ExpressionPtr Parser::call(ExpressionPtr node) {
  ExpressionPtr call = make(Kind::call, now().line);
  adopt(*call, std::move(node));
  call->arguments = call_arguments();
  return call;
}

std::vector<Argument> Parser::call_arguments() {
  expect_symbol("(");
  std::vector<Argument> arguments;
  auto last = Argument::Kind::positional;
  while (!sees_symbol(")")) {
    Argument argument = call_argument();
    const bool ordered = argument.kind == Argument::Kind::positional
                             ? last == Argument::Kind::positional
                             : last != Argument::Kind::names;
    if (!ordered) fail("positional arguments before named ones");
    last = argument.kind;
    arguments.push_back(std::move(argument));
    if (!take_symbol(",")) break;
  }
  expect_symbol(")");
  return arguments;
}

Argument Parser::call_argument() {
  Argument argument;
  if (take_symbol("*")) {
    argument.kind = Argument::Kind::row;
  } else if (take_symbol("**")) {
    argument.kind = Argument::Kind::names;
  } else if (now().kind == Token::Kind::name && ahead().kind == Token::Kind::symbol &&
             ahead().text == "=") {
    argument.kind = Argument::Kind::named;
    argument.name = take().text;
    take();
  }
  argument.value = expression();
  return argument;
}

}  // namespace alambic::jinja
