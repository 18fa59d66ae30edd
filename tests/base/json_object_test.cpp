#include "alambic/base/json_object.h"

#include "tests/io/io_testing.h"

namespace alambic {
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

TEST(JsonObject, WithVeryManyNamesIsRefusedInOrderAndReadSorted) {
  EXPECT_THROW(parse_json_object<ordered_json>(many_names(25'000), "f"), Error);
  EXPECT_EQ(parse_json_object<nlohmann::json>(many_names(25'000), "f").size(), 25'000u);
}

}  // namespace
}  // namespace alambic
