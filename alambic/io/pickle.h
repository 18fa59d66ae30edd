// Python's pickle format, protocol 2, as data: nothing is imported, called or executed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

struct PickleValue {
  enum class Kind {
    none,
    boolean,
    integer,
    real,  ///< its number is not kept
    text,
    tuple,
    list,
    dict,        ///< also a collections.OrderedDict; attributes that BUILD gives it are dropped
    global,      ///< text: "module name"
    call,        ///< items: a global, then its arguments
    persistent,  ///< items: the id of something outside the pickle
  };
  Kind kind = Kind::none;
  int64_t number = 0;                          ///< value of a boolean or an integer
  std::string text = {};                       ///< valid UTF-8
  std::vector<const PickleValue*> items = {};  ///< a dict's are key, value, key, value, …
};

/// Name of a kind in errors.
const char* name_of(PickleValue::Kind kind);

struct Pickle {
  std::deque<PickleValue> values;  ///< owns them; lists and dicts may hold themselves
  const PickleValue* root = nullptr;
};

/// Runs the pickle's stack machine over the opcodes that a state dict needs. Other opcodes, and
/// globals other than `globals` ("module name"), are input errors naming the byte and the opcode or
/// the global. At most 16 MB and 2^20 values. `where` is what errors call the pickle.
Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& where,
                    std::span<const std::string_view> globals);

}  // namespace alambic
