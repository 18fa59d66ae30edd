#include "alambic/text/tokenizer/post_processor.h"

#include <limits>
#include "alambic/base/json_view.h"

namespace alambic {
namespace {

int32_t token_id(const JsonView& json) {
  return static_cast<int32_t>(json.integer(0, std::numeric_limits<int32_t>::max()));
}

PostProcessor read_template(const JsonView& json) {
  PostProcessor processor;
  bool text_seen = false;
  const JsonView single = json.at("single");
  for (const JsonView& piece : single.items()) {
    if (const auto sequence = piece.find("Sequence")) {
      if (text_seen) throw piece.wrong("the text is there twice");
      text_seen = true;
      continue;
    }
    const JsonView name = piece.at("SpecialToken").at("id");
    const JsonView token = json.at("special_tokens").at(name.string());
    auto& ids = text_seen ? processor.after : processor.before;
    for (const JsonView& id : token.at("ids").items()) {
      ids.push_back(token_id(id));
    }
  }
  if (!text_seen) throw single.wrong("no {\"Sequence\": …}, so the text would be lost");
  return processor;
}

// "cls" and "sep": ["token", id].
PostProcessor read_cls_and_sep(const JsonView& json) {
  const auto id = [&](std::string_view name) {
    const auto pair = json.at(name).items();
    if (pair.size() != 2) throw json.at(name).wrong("expected [\"token\", id]");
    return token_id(pair[1]);
  };
  return {.before = {id("cls")}, .after = {id("sep")}};
}

}  // namespace

PostProcessor read_post_processor(const JsonView& json) {
  const JsonView type = json.at("type");
  const std::string_view name = type.string();
  if (name == "TemplateProcessing") return read_template(json);
  if (name == "ByteLevel") return {};
  if (name == "BertProcessing" || name == "RobertaProcessing") return read_cls_and_sep(json);
  if (name == "Sequence") {
    PostProcessor sum;
    for (const JsonView& step : json.at("processors").items()) {
      const PostProcessor inner = read_post_processor(step);
      sum.before.insert(sum.before.begin(), inner.before.begin(), inner.before.end());
      sum.after.insert(sum.after.end(), inner.after.begin(), inner.after.end());
    }
    return sum;
  }
  throw type.unknown(
      {"TemplateProcessing", "ByteLevel", "BertProcessing", "RobertaProcessing", "Sequence"});
}

}  // namespace alambic
