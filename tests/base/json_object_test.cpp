#include "alambic/base/json_object.h"

#include <cmath>

#include "alambic/base/json_fields.h"
#include "alambic/base/json_nan.h"
#include "tests/io/io_testing.h"

namespace alambic::json_object_test {
namespace {

using nlohmann::ordered_json;

std::string many_names(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}\"{}\":0", i == 0 ? "" : ",", i);
  return text + "}";
}

TEST(JsonObject, KeepsTheOrderOfItsNames) {
  const auto json = parse_json_object<ordered_json>(R"({"b":1e-05,"a":[{"b":2},{"b":3}]})", "f");
  EXPECT_EQ(json.dump(), R"({"b":1e-05,"a":[{"b":2},{"b":3}]})");
}

TEST(JsonObject, IsRefusedWithTheFileAndTheReason) {
  const auto refused = [](const std::string& text, const std::string& reason) {
    expect_refused([&] { parse_json_object<ordered_json>(text, "some/config.json"); },
                   {"some/config.json", reason});
  };
  refused("", "byte");
  refused(R"({"a":1)", "not valid JSON at byte 7");
  refused(R"({"a":1} x)", "not valid JSON");
  refused(R"({"a":NaN})", "not valid JSON");
  refused(R"({"a":1e999})", "not valid JSON");
  refused("{\"a\":\"\xff\"}", "not valid JSON");
  refused("[]", "a JSON object");
  refused("3", "a JSON object");
  refused(R"({"a":{"b":1,"b":2}})", "\"b\" stands twice");
  refused(std::string(1'000'000, '['), "a JSON object");
  refused("{\"a\":" + std::string(1'000'000, '['), "deeper than 64");
}

// Bug: a config.json in which Python wrote NaN, which transformers reads, was no JSON.
TEST(JsonObject, OfAFileHasPythonsNumbers) {
  const fs::path file = fresh_folder() / "config.json";
  write_file(file, R"({"a": NaN, "b": [Infinity, {"c": -Infinity}], "NaN": "NaN, Infinity"})");
  const ordered_json json = read_json_object(file);
  EXPECT_TRUE(std::isnan(json["a"].get<double>()));
  EXPECT_EQ(json["b"][0].get<double>(), HUGE_VAL);
  EXPECT_EQ(json["b"][1]["c"].get<double>(), -HUGE_VAL);
  EXPECT_EQ(json["NaN"], "NaN, Infinity");
  EXPECT_EQ(python_json(json, -1),
            R"({"a":NaN,"b":[Infinity,{"c":-Infinity}],"NaN":"NaN, Infinity"})");
  EXPECT_EQ(json_excerpt(json["b"]), R"([Infinity,{"c":-Infinity}])");
  const JsonFields fields{json, "config.json"};
  expect_refused([&] { fields.number("a"); }, {"\"a\"", "a finite number", "NaN"});
  expect_refused([&] { fields.numbers("b"); }, {"\"b\"", "finite numbers"});
  for (const char* broken : {R"({"a": -NaN})", R"({"a": nan})", R"({"a": NaNs})"}) {
    write_file(file, broken);
    expect_refused([&] { read_json_object(file); }, {"config.json", "not valid JSON"});
  }
}

TEST(JsonObject, WithVeryManyNamesIsRefusedInOrderAndReadSorted) {
  EXPECT_THROW(parse_json_object<ordered_json>(many_names(25'000), "f"), Error);
  EXPECT_EQ(parse_json_object<nlohmann::json>(many_names(25'000), "f").size(), 25'000u);
}

}  // namespace
}  // namespace alambic::json_object_test
