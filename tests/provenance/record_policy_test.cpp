#include "alambic/provenance/policy/record_policy.h"

#include "alambic/provenance/policy/gate.h"
#include "tests/provenance/record_fixture.h"

namespace alambic::record_policy_test {
namespace {

struct RecordPolicy : RecordFixture {
  nlohmann::json record_with(const std::string& teacher, const nlohmann::json& findings) const {
    nlohmann::json made = record();
    nlohmann::json facts = made["student"];
    facts["name"] = teacher;
    made["teachers"].push_back(facts);
    made["policy"] = {{"verdict", "permitted"}, {"findings", findings}};
    return made;
  }
  static std::string faults_of(const nlohmann::json& made) {
    std::string text;
    for (const FolderFault& one : policy_faults(made, read_rules({}), "2026-11-29")) {
      EXPECT_EQ(one.where, record_name);
      text += one.what + "\n";
    }
    return text;
  }
};

// Bug: a run by a table without the rule that forbids its teacher passed `verify --policy`.
TEST_F(RecordPolicy, FindsADowngradedTable) {
  const std::string found =
      faults_of(record_with("meta-llama/Llama-2-7b", nlohmann::json::array()));
  EXPECT_NE(found.find("llama-2 (no)"), std::string::npos) << found;
  EXPECT_NE(found.find("was not asked by this rule"), std::string::npos) << found;
  nlohmann::json asked = {{"rule", "llama-2"}};
  EXPECT_EQ(faults_of(record_with("meta-llama/Llama-2-7b", nlohmann::json::array({asked}))), "");
  EXPECT_EQ(faults_of(record_with("org/any", nlohmann::json::array())), "");
}

TEST_F(RecordPolicy, LooksAtServersAndParents) {
  nlohmann::json made = record_with("https://api.openai.com#m", nlohmann::json::array());
  made["teachers"][0]["host"] = "api.openai.com";
  EXPECT_NE(faults_of(made).find("openai-api"), std::string::npos) << faults_of(made);
  made["teachers"] = nlohmann::json::array();
  EXPECT_EQ(faults_of(made), "");
  nlohmann::json parent = {{"student", {{"name", "base"}, {"license", {{"id", "mit"}}}}}};
  parent["teachers"] = nlohmann::json::array();
  parent["teachers"].push_back({{"name", "t"}, {"license", {{"id", "llama2"}}}});
  made["parents"].push_back(parent);
  EXPECT_NE(faults_of(made).find("llama-2"), std::string::npos) << faults_of(made);
}

TEST_F(RecordPolicy, FailsWhereNobodyAskedOrAskedInVain) {
  EXPECT_NE(faults_of(record()).find("was not asked"), std::string::npos);
  nlohmann::json made = record_with("org/any", nlohmann::json::array());
  made["policy"]["overrides"] = nlohmann::json::array();
  made["policy"]["overrides"].push_back({{"rule", "x"}, {"reason", "y"}});
  EXPECT_NE(faults_of(made).find("overridden"), std::string::npos);
  made["policy"]["findings"] = 1;
  EXPECT_THROW(faults_of(made), Error);
}

}  // namespace
}  // namespace alambic::record_policy_test
