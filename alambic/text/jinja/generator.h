#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {

/// The generator of what `fill(items of value, out)` puts into `out`. An error, of the walk through
/// `value` too, waits until the generator is walked through.
template <class Fill>
Value generate(Interpreter& interpreter, const Value& value, Fill fill) {
  auto generator = std::make_shared<Generator>();
  try {
    fill(items_of(interpreter.budget, value), generator->items);
  } catch (const Failure& failure) {
    if (failure.kind == "limit") throw;
    generator->error = failure;
  }
  for (const Value& item : generator->items) {
    generator->nesting = std::max(generator->nesting, depth_of(item) + 1);
  }
  return generator;
}

}  // namespace alambic::jinja
