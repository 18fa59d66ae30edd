#include "alambic/io/pickle.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view ordered_dict = "collections OrderedDict";

// The allowed opcodes, under the names of Python's pickletools.
enum Opcode : unsigned char {
  MARK = '(',
  STOP = '.',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  NONE = 'N',
  BINPERSID = 'Q',
  REDUCE = 'R',
  BINUNICODE = 'X',
  EMPTY_LIST = ']',
  APPEND = 'a',
  BUILD = 'b',
  GLOBAL = 'c',
  APPENDS = 'e',
  BINGET = 'h',
  LONG_BINGET = 'j',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  SETITEM = 's',
  TUPLE = 't',
  SETITEMS = 'u',
  EMPTY_DICT = '}',
  EMPTY_TUPLE = ')',
  BINFLOAT = 'G',
  PROTO = 0x80,
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  LONG1 = 0x8a,
};

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::string& where,
          std::span<const std::string_view> globals)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
        where_(where),
        globals_(globals) {}

  Pickle run() {
    constexpr size_t max = 16 << 20;
    if (text_.size() > max) throw refused("it is {} bytes long, more than {}", text_.size(), max);
    do {
      begin_ = at_;
      opcode_ = number<unsigned char>();
    } while (step());
    if (stack_.size() != 1 || !marks_.empty()) {
      throw refused("it ends with {} values and {} marks left, not with one value", stack_.size(),
                    marks_.size());
    }
    pickle_.root = stack_.back();
    return std::move(pickle_);
  }

 private:
  template <class... Args>
  Error refused(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("cannot read {}: byte {}: {}", where_, begin_,
                       fmt::format(format, std::forward<Args>(args)...));
  }

  std::string_view take(uint64_t length) {
    if (length > text_.size() - at_) {
      throw refused("opcode 0x{:02x} wants {} bytes more, {} are left", opcode_, length,
                    text_.size() - at_)
          .with_hint("an incomplete download?");
    }
    at_ += length;
    return text_.substr(at_ - length, length);
  }

  template <class Number>
  Number number() {
    Number value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view line() {
    const size_t end = text_.find('\n', at_);
    if (end == std::string_view::npos) throw refused("a global without an end of line");
    const std::string_view found = take(end - at_);
    ++at_;
    return found;
  }

  PickleValue& push(PickleValue value) {
    constexpr size_t max = 1 << 20;
    if (pickle_.values.size() == max) throw refused("it makes more than {} values", max);
    stack_.push_back(&pickle_.values.emplace_back(std::move(value)));
    return *stack_.back();
  }

  // The lowest place on the stack that an opcode may touch: above the last mark.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleValue* pop() {
    if (stack_.size() <= floor()) throw refused("opcode 0x{:02x} finds no value", opcode_);
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }

  std::vector<const PickleValue*> pop(size_t count) {
    std::vector<const PickleValue*> values(count);
    for (size_t i = count; i > 0; --i) values[i - 1] = pop();
    return values;
  }

  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) throw refused("opcode 0x{:02x} finds no mark", opcode_);
    std::vector<const PickleValue*> values(stack_.begin() + static_cast<int64_t>(marks_.back()),
                                           stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }

  // Adds `values` to the list or dict that is now on top.
  void add(Kind kind, const std::vector<const PickleValue*>& values) {
    PickleValue* target = pop();
    stack_.push_back(target);
    if (target->kind != kind || (kind == Kind::dict && values.size() % 2 != 0)) {
      throw refused("opcode 0x{:02x} adds {} values to a {}", opcode_, values.size(),
                    name_of(target->kind));
    }
    target->items.insert(target->items.end(), values.begin(), values.end());
  }

  void call() {
    const PickleValue* arguments = pop();
    const PickleValue* function = pop();
    if (function->kind != Kind::global || arguments->kind != Kind::tuple) {
      throw refused("it calls a {} with a {}", name_of(function->kind), name_of(arguments->kind));
    }
    if (function->text == ordered_dict) {
      if (!arguments->items.empty()) throw refused("{} with arguments", ordered_dict);
      push({.kind = Kind::dict});
      return;
    }
    PickleValue& result = push({.kind = Kind::call, .items = {function}});
    result.items.insert(result.items.end(), arguments->items.begin(), arguments->items.end());
  }

  // Attributes: those of a state dict (_metadata) say nothing about its tensors.
  void build() {
    pop();
    const Kind kind = pop_and_keep()->kind;
    if (kind != Kind::dict) throw refused("opcode BUILD gives attributes to a {}", name_of(kind));
  }

  PickleValue* pop_and_keep() {
    PickleValue* value = pop();
    stack_.push_back(value);
    return value;
  }

  void global() {
    const std::string_view module = line();
    const std::string name = std::string(module) + " " + std::string(line());
    if (std::ranges::find(globals_, name) == globals_.end()) {
      throw refused("it names the global \"{}\", which no tensor needs", printable(name))
          .with_hint(
              "a pickle can hold any program, so only tensors are read from it; save the "
              "model again with transformers' save_pretrained");
    }
    push({.kind = Kind::global, .text = name});
  }

  void put(uint32_t key) { memo_[key] = pop_and_keep(); }

  void get(uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) throw refused("it has nothing under {}", key);
    stack_.push_back(found->second);
  }

  void long_integer() {
    const std::string_view digits = take(number<uint8_t>());
    int64_t value = 0;
    if (digits.size() > sizeof value) throw refused("an integer of {} bytes", digits.size());
    if (!digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80) != 0) value = -1;
    std::memcpy(&value, digits.data(), digits.size());
    push({.kind = Kind::integer, .number = value});
  }

  void text() {
    const std::string_view found = take(number<uint32_t>());
    if (!simdjson::validate_utf8(found.data(), found.size())) {
      throw refused("a text of {} bytes is not UTF-8", found.size());
    }
    push({.kind = Kind::text, .text = std::string(found)});
  }

  void protocol() {
    const auto version = number<uint8_t>();
    if (version != 2) {
      throw refused("pickle protocol {}, where torch.save writes 2", version)
          .with_hint("save it without the option pickle_protocol");
    }
  }

  // False after the last opcode.
  bool step() {
    switch (opcode_) {
      case PROTO:
        protocol();
        break;
      case STOP:
        return false;
      case MARK:
        marks_.push_back(stack_.size());
        break;
      case NONE:
        push({.kind = Kind::none});
        break;
      case NEWTRUE:
        push({.kind = Kind::boolean, .number = 1});
        break;
      case NEWFALSE:
        push({.kind = Kind::boolean, .number = 0});
        break;
      case BININT:
        push({.kind = Kind::integer, .number = number<int32_t>()});
        break;
      case BININT1:
        push({.kind = Kind::integer, .number = number<uint8_t>()});
        break;
      case BININT2:
        push({.kind = Kind::integer, .number = number<uint16_t>()});
        break;
      case LONG1:
        long_integer();
        break;
      case BINFLOAT:
        take(8);
        push({.kind = Kind::real});
        break;
      case BINUNICODE:
        text();
        break;
      case EMPTY_TUPLE:
        push({.kind = Kind::tuple});
        break;
      case TUPLE:
        push({.kind = Kind::tuple, .items = pop_to_mark()});
        break;
      case TUPLE1:
        push({.kind = Kind::tuple, .items = pop(1)});
        break;
      case TUPLE2:
        push({.kind = Kind::tuple, .items = pop(2)});
        break;
      case TUPLE3:
        push({.kind = Kind::tuple, .items = pop(3)});
        break;
      case EMPTY_LIST:
        push({.kind = Kind::list});
        break;
      case APPEND:
        add(Kind::list, pop(1));
        break;
      case APPENDS:
        add(Kind::list, pop_to_mark());
        break;
      case EMPTY_DICT:
        push({.kind = Kind::dict});
        break;
      case SETITEM:
        add(Kind::dict, pop(2));
        break;
      case SETITEMS:
        add(Kind::dict, pop_to_mark());
        break;
      case GLOBAL:
        global();
        break;
      case REDUCE:
        call();
        break;
      case BUILD:
        build();
        break;
      case BINPERSID:
        push({.kind = Kind::persistent, .items = pop(1)});
        break;
      case BINPUT:
        put(number<uint8_t>());
        break;
      case LONG_BINPUT:
        put(number<uint32_t>());
        break;
      case BINGET:
        get(number<uint8_t>());
        break;
      case LONG_BINGET:
        get(number<uint32_t>());
        break;
      default:
        throw refused("opcode 0x{:02x}, which no tensor needs", opcode_);
    }
    return true;
  }

  std::string_view text_;
  const std::string& where_;
  std::span<const std::string_view> globals_;
  size_t at_ = 0;
  size_t begin_ = 0;  // start of the current opcode
  unsigned char opcode_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, PickleValue*> memo_;
  Pickle pickle_;
};

}  // namespace

const char* name_of(PickleValue::Kind kind) {
  constexpr const char* names[] = {"None",     "boolean", "integer", "number", "text",
                                   "tuple",    "list",    "dict",    "global", "constructed object",
                                   "reference"};
  return names[static_cast<size_t>(kind)];
}

Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& where,
                    std::span<const std::string_view> globals) {
  return Machine(bytes, where, globals).run();
}

}  // namespace alambic
