// Typed fields of a person's JSON, and where a text stops being JSON.
#include "alambic/base/json_fields.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/json_view.h"

namespace alambic::json_fields_test {
namespace {

using Json = nlohmann::ordered_json;

template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return error.what();
  }
  return "no error";
}

const Json json = {{"a", 3},       {"real", 3.5},        {"text", "x"},  {"null", nullptr},
                   {"flag", true}, {"list", {1, "two"}}, {"huge", 1e30}, {"object", {{"a", "b"}}}};
const JsonFields fields{json, "m/config.json"};

// Bug: a wrong type ended in nlohmann's words, or as a bug of ours.
TEST(JsonFields, OfAnotherTypeAreNamedWithWhatIsThere) {
  EXPECT_EQ(error_of([] { fields.integer("text"); }),
            "cannot read m/config.json: \"text\" should be an integer, found \"x\"");
  EXPECT_EQ(error_of([] { fields.integer("none"); }),
            "cannot read m/config.json: \"none\" should be an integer, found nothing");
  EXPECT_EQ(error_of([] { fields.flag("a"); }),
            "cannot read m/config.json: \"a\" should be true or false, found 3");
  EXPECT_EQ(error_of([] { fields.object("object").number("a"); }),
            "cannot read m/config.json, object: \"a\" should be a number, found \"b\"");
  for (const char* key : {"real", "flag", "null", "list", "huge", "object"}) {
    EXPECT_NE(error_of([&] { fields.integer(key); }), "no error") << key;
  }
  EXPECT_NE(error_of([] { fields.integers("list"); }), "no error");
  EXPECT_NE(error_of([] { fields.texts("a"); }), "no error");
  const Json list = Json::array();
  EXPECT_NE(error_of([&] { JsonFields{list, "m"}.text("a"); }), "no error");
}

TEST(JsonFields, MayBeLeftOutOrNullWhereThereIsAnotherValue) {
  EXPECT_EQ(fields.integer("null", 7), 7);
  EXPECT_EQ(fields.text("none", "y"), "y");
  EXPECT_EQ(fields.number("a", 0), 3);
  EXPECT_FALSE(fields.has("null"));
  EXPECT_TRUE(fields.object("none").json.empty());
}

// Bug: the sentence was nlohmann's, with the parser's terms.
TEST(JsonFile, SaysWhereATextStopsBeingJson) {
  const auto error = [](const std::string& text) {
    return error_of([&] { JsonFile::parse("f.json", text); });
  };
  EXPECT_EQ(error("{\"a\": 1,\n \"b\": oops}"), "f.json is not valid JSON at line 2, column 7");
  EXPECT_EQ(error("{\"a\": 1,,}"), "f.json is not valid JSON at column 9");
  EXPECT_EQ(error("{\"a\": 1"), "f.json is not valid JSON at column 8, its end");
}

}  // namespace
}  // namespace alambic::json_fields_test
