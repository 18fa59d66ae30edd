// The functions that every template can use.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "alambic/text/jinja/function.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {
namespace {

Value range(Interpreter&, const Arguments& arguments) {
  const size_t count = arguments.positional.size();
  if (count < 1 || count > 3) throw type_error("range expected 1 to 3 arguments, got {}", count);
  const Bound bound("range", arguments, {"a", "b", "c"}, 1);
  const int64_t start = count == 1 ? 0 : bound.whole(0);
  const int64_t stop = count == 1 ? bound.whole(0) : bound.whole(1);
  const int64_t step = count == 3 ? bound.whole(2) : 1;
  if (step == 0) throw value_error("range() arg 3 must not be zero");
  auto row = std::make_shared<Range>(start, stop, step);
  constexpr int64_t max = 100000;
  if (row->size() > max) {
    throw Failure("OverflowError", fmt::format("Range too big. The sandbox blocks ranges larger "
                                               "than MAX_RANGE ({}).",
                                               max));
  }
  return row;
}

Dict dict_of(Interpreter& interpreter, const Arguments& arguments) {
  if (arguments.positional.size() > 1) throw type_error("dict expected at most 1 argument");
  Dict dict;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional.front();
    if (source.dict() != nullptr) {
      interpreter.budget.spend(static_cast<int64_t>(source.dict()->size()));
      dict = *source.dict();
    } else {
      for (const Value& pair : items_of(interpreter.budget, source)) {
        const Values parts = items_of(interpreter.budget, pair);
        if (parts.size() != 2) throw value_error("dictionary update sequence needs pairs");
        dict.set(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict.set(Value(name), value);
  return dict;
}

Value dict(Interpreter& interpreter, const Arguments& arguments) {
  return make_dict(dict_of(interpreter, arguments));
}

Value name_space(Interpreter& interpreter, const Arguments& arguments) {
  auto space = std::make_shared<Namespace>();
  interpreter.keep(space);
  const Dict given = dict_of(interpreter, arguments);
  for (const auto& [key, value] : given.entries()) {
    space->set(to_text(interpreter, key), value);
  }
  return space;
}

Value raise_exception(Interpreter& interpreter, const Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  throw Failure("TemplateError", to_text(interpreter, bound.get(0)));
}

Value strftime_now(Interpreter& interpreter, const Arguments& arguments) {
  const std::string format = Bound("strftime_now", arguments, {"format"}, 1).text(0);
  const std::time_t now = interpreter.now();
  std::tm time{};
  localtime_r(&now, &time);
  std::array<char, 4096> buffer{};
  // A character in front tells an empty result from one that is too long.
  const size_t size = std::strftime(buffer.data(), buffer.size(), ("x" + format).c_str(), &time);
  if (size == 0) throw value_error("strftime_now makes more than {} bytes", buffer.size());
  return Value(std::string(buffer.data() + 1, size - 1));
}

struct Cycler : Object, std::enable_shared_from_this<Cycler> {
  explicit Cycler(Values all) : items(std::move(all)) {
    for (const Value& item : items) nesting = std::max(nesting, depth_of(item) + 1);
  }
  std::string_view type_name() const override { return "Cycler"; }
  int depth() const override { return nesting; }
  std::optional<Value> attribute(Interpreter&, const std::string& name) override;
  Values items;
  size_t position = 0;
  int nesting = 1;
};

// Steps a cycler; it holds the cycler, which may have lost its name since.
struct CyclerStep : Object {
  CyclerStep(std::shared_ptr<Cycler> what, bool reset) : cycler(std::move(what)), resets(reset) {}
  std::string_view type_name() const override { return "method"; }
  bool callable() const override { return true; }
  Value call(Interpreter&, const Arguments&) override {
    if (resets) {
      cycler->position = 0;
      return {};
    }
    const Value item = cycler->items[cycler->position];
    cycler->position = (cycler->position + 1) % cycler->items.size();
    return item;
  }
  std::shared_ptr<Cycler> cycler;
  bool resets;
};

std::optional<Value> Cycler::attribute(Interpreter&, const std::string& name) {
  if (name == "current") return items[position];
  if (name == "next" || name == "reset") {
    return Value(std::make_shared<CyclerStep>(shared_from_this(), name == "reset"));
  }
  return std::nullopt;
}

Value cycler(Interpreter&, const Arguments& arguments) {
  if (arguments.positional.empty()) {
    throw Failure("RuntimeError", "at least one item has to be provided");
  }
  return std::make_shared<Cycler>(arguments.positional);
}

struct Joiner : Object {
  explicit Joiner(Value text) : separator(std::move(text)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Interpreter&, const Arguments&) override {
    return std::exchange(used, true) ? separator : Value("");
  }
  Value separator;
  bool used = false;
};

Value joiner(Interpreter&, const Arguments& arguments) {
  return std::make_shared<Joiner>(Bound("joiner", arguments, {"sep"}).get(0, Value(", ")));
}

Value lipsum(Interpreter&, const Arguments&) {
  throw not_built("lipsum, which makes random text,");
}

}  // namespace

const Value* find_global(const std::string& name) {
  static const std::unordered_map<std::string_view, Value> globals = [] {
    std::unordered_map<std::string_view, Value> made;
    const std::pair<const char*, Value (*)(Interpreter&, const Arguments&)> functions[] = {
        {"range", range},          {"dict", dict},
        {"namespace", name_space}, {"cycler", cycler},
        {"joiner", joiner},        {"raise_exception", raise_exception},
        {"lipsum", lipsum},        {"strftime_now", strftime_now}};
    for (const auto& [key, function] : functions) made.emplace(key, make_function(key, function));
    return made;
  }();
  const auto found = globals.find(name);
  return found == globals.end() ? nullptr : &found->second;
}

}  // namespace alambic::jinja
