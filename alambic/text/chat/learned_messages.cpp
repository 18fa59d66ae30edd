#include "alambic/text/chat/learned_messages.h"

#include "alambic/base/error.h"
#include "alambic/base/json_fields.h"
#include "alambic/text/jinja/json_value.h"

namespace alambic {

namespace {

using jinja::Value;

// A field that is there and not null.
const Value* some(const Value& message, const char* name) {
  const Value* value = message.dict()->find(name);
  return value == nullptr || value->is_none() ? nullptr : value;
}

Error refused(const char* name, const Value& value, const char* expected) {
  return input_error("a message's \"{}\" is {}; expected {}", name,
                     json_excerpt(jinja::json_of(value)), expected);
}

bool has_weight(const Value& message) {
  const Value* weight = some(message, "weight");
  if (weight == nullptr) return true;
  if (!weight->is_number() || (weight->number() != 0 && weight->number() != 1)) {
    throw refused("weight", *weight, "0, not to learn it, or 1");
  }
  return weight->number() == 1;
}

}  // namespace

bool is_learned(const Value& message) {
  const bool assistant = is_assistant(message);
  bool learned = true;
  for (const char* name : {"train", "training"}) {
    const Value* train = some(message, name);
    if (train == nullptr) continue;
    if (!train->is_bool()) throw refused(name, *train, "true or false");
    learned = learned && train->whole() != 0;
    if (!assistant && train->whole() != 0) {
      throw refused(name, *train, "false: only what the assistant writes is learned");
    }
  }
  for (const char* name : {"train_detail", "training_detail"}) {
    const Value* detail = some(message, name);
    if (detail == nullptr || (detail->list() != nullptr && detail->list()->items.empty())) continue;
    throw refused(name, *detail, "none: messages are learned whole or not at all");
  }
  return assistant && learned && has_weight(message);
}

}  // namespace alambic
