// Whole numbers at their ends: what Python makes of them (tools/goldens/template_integers.py).
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/text/jinja/template.h"

namespace alambic::integers_test {
namespace {

using Json = nlohmann::ordered_json;

struct Outcome {
  std::string text;
  std::string error;
};

Outcome render(const std::string& source) {
  jinja::Dict context;
  context.set("inf", std::numeric_limits<double>::infinity());
  context.set("nan", std::numeric_limits<double>::quiet_NaN());
  try {
    return {jinja::Template::parse("snippet", source).render(context).text, ""};
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << source;
    return {"", error.what()};
  }
}

// Prevents: a model folder's template that ends the program: a range's step wrapped around to 0,
// and the length divided by it (SIGFPE). And every other whole number that wraps, is cut or is
// rounded.
TEST(ChatTemplateIntegers, AreAsInPythonOrRefused) {
  const Json file =
      Json::parse(read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/templates/integers.json"));
  ASSERT_GT(file.size(), 500U);
  for (const Json& row : file) {
    const std::string source = row["source"];
    const Outcome found = render(source);
    if (row.contains("longer")) {
      // In a template's 64 bits, or in the 128 of a range.
      const bool says = found.error.find("more than 64 bits") != std::string::npos ||
                        found.error.find("more than 128 bits") != std::string::npos;
      EXPECT_TRUE(says) << source << "\n" << found.error << found.text;
    } else if (row.contains("text")) {
      EXPECT_EQ(found.error, "") << source;
      EXPECT_EQ(found.text, row["text"].get<std::string>()) << source;
    } else {
      EXPECT_NE(found.error.find(row["message"].get<std::string>()), std::string::npos)
          << source << "\n"
          << found.error << found.text;
    }
  }
}

// Prevents: numbers of 2^63 and more in a row or a tool call written as 9.223372036854776e+18, and
// a row with one of 2^64 refused.
TEST(ChatTemplateIntegers, OfRowsKeepAllTheirDigits) {
  const Json file = Json::parse(
      read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/templates/long_integers.json"));
  const jinja::Value context = jinja::parse_json("row", file["context"].get<std::string>());
  const auto outcome = [&](const std::string& source) -> Outcome {
    try {
      return {jinja::Template::parse("snippet", source).render(*context.dict()).text, ""};
    } catch (const Error& error) {
      return {"", error.what()};
    }
  };
  for (const Json& row : file["exact"]) {
    const Outcome found = outcome(row["source"]);
    EXPECT_EQ(found.error, "") << row["source"];
    EXPECT_EQ(found.text, row["text"].get<std::string>()) << row["source"];
  }
  for (const Json& source : file["refused"]) {
    const Outcome found = outcome(source);
    EXPECT_NE(found.error.find("more than 64 bits"), std::string::npos)
        << source << "\n"
        << found.error << found.text;
  }
}

}  // namespace
}  // namespace alambic::integers_test
