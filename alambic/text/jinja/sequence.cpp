#include "alambic/text/jinja/sequence.h"

#include <algorithm>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/markup.h"
#include "alambic/text/jinja/unicode.h"

namespace alambic::jinja {
namespace {

Values characters_of(Budget& budget, const std::string& text) {
  Values items;
  for (size_t i = 0; i < text.size();) {
    budget.spend(1);
    const size_t length = utf8_length(static_cast<unsigned char>(text[i]));
    items.emplace_back(text.substr(i, length));
    i += length;
  }
  return items;
}

Values rest_of(Generator& generator) {
  const auto start = static_cast<ptrdiff_t>(generator.next);
  generator.next = generator.items.size();
  if (generator.error) {
    const Failure failure = *generator.error;
    generator.error.reset();
    throw failure;
  }
  return {generator.items.begin() + start, generator.items.end()};
}

std::optional<int64_t> bound(const Value& value) {
  if (value.is_none()) return std::nullopt;
  if (const auto* missing = value.as<Undefined>()) {
    throw type_error("slice indices must be integers or None or have an __index__ method ({})",
                     missing->message);
  }
  if (const auto* number = value.as<LongWhole>()) return number->negative() ? INT64_MIN : INT64_MAX;
  if (!value.is_whole()) {
    throw type_error("slice indices must be integers or None or have an __index__ method");
  }
  return value.whole();
}

struct Cut {
  int64_t start, stop, step;
  // How many items it picks.
  int64_t size() const {
    if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
    if (start <= stop) return 0;
    return static_cast<int64_t>((start - stop - 1) / -static_cast<__int128>(step)) + 1;
  }
};

// The cut with its ends in range, by CPython's PySlice_AdjustIndices.
Cut adjust(int64_t size, const Value& start, const Value& stop, const Value& step) {
  Cut cut{0, 0, bound(step).value_or(1)};
  if (cut.step == 0) throw value_error("slice step cannot be zero");
  const int64_t low = cut.step < 0 ? -1 : 0;
  const int64_t high = cut.step < 0 ? size - 1 : size;
  const auto place = [&](std::optional<int64_t> index, int64_t otherwise) {
    if (!index) return otherwise;
    if (*index < 0) return std::max(*index + size, low);
    return std::min(*index, high);
  };
  cut.start = place(bound(start), cut.step < 0 ? high : 0);
  cut.stop = place(bound(stop), cut.step < 0 ? low : size);
  return cut;
}

template <class Row>
Row cut_out(const Row& row, const Cut& cut) {
  Row part;
  const int64_t size = cut.size();
  for (int64_t i = 0; i < size; ++i) {
    part.push_back(row[static_cast<size_t>(cut.start + i * cut.step)]);
  }
  return part;
}

// A slice of a range, by CPython's compute_slice, whose numbers have no end.
Value cut_out(const Range& range, const Cut& cut) {
  const auto number = [&](int64_t i) {
    Range::Wide result = 0;
    if (__builtin_mul_overflow(range.step, Range::Wide{i}, &result) ||
        __builtin_add_overflow(result, range.start, &result)) {
      throw Failure("OverflowError", "a range's end has more than 128 bits");
    }
    return result;
  };
  const Range::Wide step = number(cut.step) - range.start;
  return std::make_shared<Range>(number(cut.start), number(cut.stop), step, cut.size());
}

}  // namespace

bool is_iterable(const Value& value) {
  return value.is_string() || value.list() != nullptr || value.dict() != nullptr ||
         value.is_undefined() || value.as<Range>() != nullptr || value.as<Generator>() != nullptr ||
         value.as<Loop>() != nullptr;
}

Values items_of(Budget& budget, const Value& value) {
  if (const std::string* text = value.string()) return characters_of(budget, *text);
  if (const List* list = value.list()) {
    budget.spend(static_cast<int64_t>(list->items.size()));
    return list->items;
  }
  if (const Dict* dict = value.dict()) {
    budget.spend(static_cast<int64_t>(dict->size()));
    Values keys;
    for (const auto& [key, item] : dict->entries()) keys.push_back(key);
    return keys;
  }
  if (value.is_undefined()) return {};
  if (auto* generator = value.as<Generator>()) {
    budget.spend(static_cast<int64_t>(generator->items.size()));
    return rest_of(*generator);
  }
  if (const auto* range = value.as<Range>()) {
    const int64_t size = range->size();
    budget.spend(size);
    Values numbers;
    for (int64_t i = 0; i < size; ++i) numbers.push_back(range->at(i));
    return numbers;
  }
  throw type_error("'{}' object is not iterable", type_name(value));
}

std::optional<Value> item_at(const Value& value, int64_t i) {
  const bool numbered = value.is_string() || value.as<Range>() != nullptr ||
                        (value.list() != nullptr && !value.list()->is_view());
  if (!numbered) return std::nullopt;
  const int64_t size = length_of(value).value_or(0);
  if (i < 0) i += size;
  if (i < 0 || i >= size) return std::nullopt;
  if (const List* list = value.list()) return list->items[static_cast<size_t>(i)];
  if (const auto* range = value.as<Range>()) return range->at(i);
  return text_like(value, character_at(*value.string(), i));
}

Value slice(Budget& budget, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (const std::string* text = value.string()) {
    budget.text(static_cast<int64_t>(text->size()), true);
    const std::u32string row = to_code_points(*text);
    return text_like(
        value, to_utf8(cut_out(row, adjust(static_cast<int64_t>(row.size()), start, stop, step))));
  }
  if (const auto* range = value.as<Range>()) {
    return cut_out(*range, adjust(range->size(), start, stop, step));
  }
  const List* list = value.list();
  if (list == nullptr || list->is_view()) {
    if (value.dict() != nullptr) throw type_error("unhashable type: 'slice'");
    throw type_error("'{}' object is not subscriptable", type_name(value));
  }
  budget.spend(static_cast<int64_t>(list->items.size()));
  const Cut cut = adjust(static_cast<int64_t>(list->items.size()), start, stop, step);
  return make_list(cut_out(list->items, cut),
                   list->is_tuple() ? List::Kind::tuple : List::Kind::list);
}

}  // namespace alambic::jinja
