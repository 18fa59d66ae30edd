// Templates against what Jinja2 makes of them under transformers' settings.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/text/chat/chat_template.h"
#include "tests/shared_data.h"

namespace alambic::chat_template_golden_test {
namespace {

using Json = nlohmann::ordered_json;

struct Outcome {
  std::string text;
  std::string error;
};

Outcome render(const std::string& source, const jinja::Value& context) {
  try {
    return {jinja::Template::parse("snippet", source).render(*context.dict()).text, ""};
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << source;
    return {"", error.what()};
  }
}

Json golden() {
  return Json::parse(
      read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/templates/snippets.json"));
}

void expect_same(const Json& expected, const Outcome& found, const std::string& what) {
  if (expected.contains("text")) {
    EXPECT_EQ(found.error, "") << what;
    EXPECT_EQ(found.text, expected["text"].get<std::string>()) << what;
    return;
  }
  const std::string kind = expected["error"];
  EXPECT_NE(found.error, "") << what << "\nmust raise " << kind << ": " << expected["message"]
                             << "\nbut renders " << found.text;
  // Syntax errors and those about a call's arguments are in our own words.
  const std::string message = expected["message"];
  const bool our_words = kind.find("Syntax") != kind.npos || kind == "TemplateAssertionError" ||
                         message.find("argument") != message.npos;
  if (our_words) return;
  EXPECT_NE(found.error.find(message), std::string::npos) << what << "\n" << found.error;
}

// Prevents: any rule of the language read from memory instead of from Jinja itself.
TEST(ChatTemplateGolden, SnippetsRenderAsInJinja) {
  const Json file = golden();
  const jinja::Value context = jinja::parse_json("context", file["context"].dump());
  for (const Json& snippet : file["snippets"]) {
    const std::string source = snippet["source"];
    expect_same(snippet, render(source, context), source);
  }
}

// Prevents: a mask of assistant tokens that is off by the bytes of a character.
TEST(ChatTemplateGolden, GenerationBlocksGiveTheirSpans) {
  const Json file = golden();
  const jinja::Value context = jinja::parse_json("context", file["context"].dump());
  ASSERT_FALSE(file["spans"].empty());
  for (const Json& entry : file["spans"]) {
    const auto parsed = jinja::Template::parse("snippet", entry["source"].get<std::string>());
    EXPECT_TRUE(parsed.has_generation());
    const auto rendered = parsed.render(*context.dict());
    ASSERT_EQ(rendered.generated.size(), entry["generated"].size());
    for (size_t i = 0; i < rendered.generated.size(); ++i) {
      const auto [begin, end] = rendered.generated[i];
      EXPECT_EQ(rendered.text.substr(begin, end - begin), entry["generated"][i]);
      EXPECT_EQ(begin, entry["begins"][i].get<size_t>());
    }
  }
}

// Prevents: a template whose features do not go together here as they do in Jinja
// (tools/goldens/template_fuzz.py, whose slow form runs against the binary).
TEST(ChatTemplateGolden, RandomTemplatesRenderAsInJinja) {
  const Json file =
      Json::parse(read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/templates/random.json"));
  const jinja::Value context = jinja::parse_json("context", file["context"].dump());
  for (const Json& one : file["cases"]) {
    const std::string source = one["source"];
    const Outcome found = render(source, context);
    EXPECT_EQ(found.error.empty(), one.contains("text")) << source << "\n" << found.error;
    EXPECT_EQ(found.text, one.value("text", "")) << source;
  }
}

// Prevents: a real model's template that renders differently here than where it was trained.
TEST(ChatTemplateGolden, SharedTemplatesRenderByteForByte) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const fs::path folder = *shared / "data/chat-templates";
  const Json contexts = Json::parse(read_file(folder / "contexts.json"));
  std::ifstream lines(folder / "expected.jsonl");
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    Json expected = Json::parse(line);
    if (expected.contains("output")) expected["text"] = expected["output"];
    const std::string name = expected["template"];
    Json variables = contexts["globals"];
    variables.update(contexts["contexts"][expected["context"].get<std::string>()]);
    const jinja::Value context = jinja::parse_json("context", variables.dump());
    // The one template that prints the date was rendered on 2025-07-10.
    std::tm day{};
    day.tm_year = 125;
    day.tm_mon = 6;
    day.tm_mday = 10;
    day.tm_hour = 12;
    Outcome found;
    try {
      found.text = ChatTemplate::parse(name, read_file(folder / name))
                       .render(*context.dict(), std::mktime(&day))
                       .text;
    } catch (const Error& error) {
      found.error = error.what();
    }
    expect_same(expected, found, name + " " + expected["context"].get<std::string>());
  }
  EXPECT_EQ(count, 448U);
}

}  // namespace
}  // namespace alambic::chat_template_golden_test
