#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/cli/commands/render_options.h"
#include "alambic/cli/run.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {
namespace {

jinja::Dict read_context(const std::string& path) {
  const jinja::Value json = jinja::parse_json(path, read_file(path, 64 << 20));
  if (json.dict() != nullptr) return *json.dict();
  throw input_error("{}: expected an object of variables, found {}", path, jinja::type_name(json))
      .with_hint(
          "for example {\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], "
          "\"add_generation_prompt\": true}");
}

// Noon of that day; nothing where none is given.
std::optional<std::time_t> day_of(const std::string& date) {
  if (date.empty()) return std::nullopt;
  std::tm day{};
  const char* end = strptime(date.c_str(), "%Y-%m-%d", &day);
  if (end == nullptr || *end != '\0') {
    throw input_error("--date: expected a day such as 2025-07-10, found \"{}\"", date);
  }
  day.tm_hour = 12;
  day.tm_isdst = -1;
  return std::mktime(&day);
}

jinja::Rendered render(const RenderOptions& options) {
  const jinja::Dict context = read_context(options.context);
  const auto now = day_of(options.date);
  if (!options.model.empty()) {
    return load_chat_template(options.model, options.name).render(as_applied(context), now);
  }
  const std::string source = read_file(options.template_file, 4 << 20);
  return ChatTemplate::parse(options.template_file, source).render(context, now);
}

}  // namespace

int run(const RenderOptions& options) {
  const jinja::Rendered rendered = render(options);
  if (!options.spans) {
    std::fwrite(rendered.text.data(), 1, rendered.text.size(), stdout);
    return 0;
  }
  nlohmann::ordered_json json = {{"text", rendered.text}, {"spans", nlohmann::json::array()}};
  for (const jinja::Span& span : rendered.generated) {
    json["spans"].push_back({span.begin, span.end});
  }
  std::printf("%s\n", json.dump().c_str());
  return 0;
}

}  // namespace alambic
