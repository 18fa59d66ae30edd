// A template as a tree.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

/// An argument of a call, a filter or a test.
struct Argument {
  enum class Kind : uint8_t { positional, named, row, names };  ///< x, name=x, *x, **x
  Kind kind = Kind::positional;
  std::string name;
  ExpressionPtr value;
};

struct Expression {
  enum class Kind : uint8_t {
    constant,     ///< constant
    name,         ///< text
    list,         ///< parts
    tuple,        ///< parts
    dict,         ///< parts: key, value, key, value…
    attribute,    ///< parts[0].text
    item,         ///< parts[0][parts[1]]
    slice,        ///< parts[0][parts[1]:parts[2]:parts[3]], null where left out
    call,         ///< parts[0](arguments)
    filter,       ///< parts[0]|text(arguments); parts[0] is null in filter and set blocks
    test,         ///< parts[0] is text(arguments)
    negate,       ///< text is "+" or "-"
    binary,       ///< parts[0] text parts[1]
    concat,       ///< parts joined by ~
    compare,      ///< parts[0] operators[0] parts[1] operators[1] parts[2]…
    both,         ///< and
    either,       ///< or
    inverse,      ///< not
    conditional,  ///< parts[1] if parts[0] else parts[2], which may be null
    namespaced,   ///< text.attribute as a target; the attribute is constant
  };
  Kind kind = Kind::constant;
  int line = 0;
  int depth = 1;
  Value constant;
  std::string text;
  std::vector<ExpressionPtr> parts;
  std::vector<Argument> arguments;
  std::vector<std::string> operators;
};

struct Statement;
using Body = std::vector<Statement>;

/// Parameters of a macro or of a call block. Defaults belong to the last ones.
struct Signature {
  std::vector<std::string> names;
  std::vector<ExpressionPtr> defaults;
};

/// Code of a macro; a call block's body is one without a name.
struct MacroCode {
  std::string name;
  Signature signature;
  std::vector<Statement> body;
  bool takes_caller = false;  ///< its body mentions `caller`
  bool takes_names = false;   ///< … `kwargs`
  bool takes_rest = false;    ///< … `varargs`
};

struct Statement {
  enum class Kind : uint8_t {
    text,            ///< text, as it is
    print,           ///< expressions[0]
    choose,          ///< if expressions[i] then bodies[i]; a last body is the else
    loop,            ///< for target in expressions[0] if expressions[1]; bodies: each, else
    set,             ///< target = expressions[0]
    set_block,       ///< target = bodies[0] through the filter expressions[0], which may be null
    macro,           ///< macro
    call,            ///< macro is the caller of expressions[0]
    filter,          ///< bodies[0] through expressions[0]
    with,            ///< targets = expressions, around bodies[0]
    generation,      ///< bodies[0], which the assistant wrote
    block,           ///< bodies[0], with the template's own variables only
    leave,           ///< break
    next,            ///< continue
    other_template,  ///< text is the tag: include and the like, which find nothing
  };
  Kind kind = Kind::text;
  int line = 0;
  std::string text;
  ExpressionPtr target;
  std::vector<ExpressionPtr> targets;
  std::vector<ExpressionPtr> expressions;
  std::vector<Body> bodies;
  std::shared_ptr<const MacroCode> macro;
  bool recursive = false;
  bool scoped = false;
};

}  // namespace alambic::jinja
