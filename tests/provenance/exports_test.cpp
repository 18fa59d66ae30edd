#include "alambic/provenance/exports.h"

#include <cstdlib>

#include "tests/provenance/record_fixture.h"

namespace alambic::exports_test {
namespace {

struct Exports : RecordFixture {
  nlohmann::json full() const {
    nlohmann::json full = record();
    full["tool"]["files"] = nlohmann::json::array();
    full["teachers"].push_back(full["student"]);
    full["data"][0]["use"] = "training";
    full["counters"]["flop"] = {{"value", 1e12}, {"formula", "6 N D"}};
    full["command"]["config"]["max-steps"] = "4";
    full["clock"]["started"] = full["clock"]["updated"] = "2026-11-29T00:00:00Z";
    full["clock"]["training_seconds"] = 1.5;
    full["clock"]["energy_joules"] = unknown_fact("no counter was read");
    full["policy"] = {{"verdict", "permitted"}, {"obligations", {"mit (student m): notice"}}};
    return full;
  }
};

TEST_F(Exports, SpdxNamesModelTeachersAndData) {
  const auto spdx = spdx_of(full());
  EXPECT_EQ(spdx["@context"], "https://spdx.org/rdf/3.0.1/spdx-context.jsonld");
  std::string types, relations;
  for (const auto& one : spdx["@graph"]) {
    types += one["type"].get<std::string>() + " ";
    if (one.contains("relationshipType")) {
      relations += one["relationshipType"].get<std::string>() + " ";
    }
  }
  EXPECT_EQ(relations, "descendantOf dependsOn trainedOn ");
  EXPECT_NE(types.find("ai_AIPackage"), std::string::npos);
  EXPECT_NE(types.find("dataset_DatasetPackage"), std::string::npos);
  EXPECT_TRUE(types.ends_with("SpdxDocument "));
}

// The published model, as the package spdx-python-model has it: every name and value is looked at
// when it is read, and what must be there when it is written again.
TEST_F(Exports, SpdxIsThatOfItsModel) {
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (std::system((python + " -c 'import spdx_python_model' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no spdx_python_model; ALAMBIC_ORACLE names one that has";
  }
  const fs::path file = scratch.path() / "spdx.json";
  nlohmann::json measured = full();
  measured["clock"]["energy_joules"] = 2.5e6;
  EXPECT_NE(spdx_of(measured).dump().find("\"ai_energyQuantity\":2.5,"), std::string::npos);
  write_file(file, spdx_of(measured).dump());
  const std::string check =
      python +
      " -c 'import io, sys; from spdx_python_model import v3_0_1 as m; "
      "o = m.SHACLObjectSet(); m.JSONLDDeserializer().read(open(sys.argv[1], \"rb\"), o); "
      "m.JSONLDSerializer().write(o, io.BytesIO())' ";
  EXPECT_EQ(std::system((check + file.string()).c_str()), 0);
}

// The schema is that of the package cyclonedx-python-lib, where the interpreter that ALAMBIC_ORACLE
// names has it.
TEST_F(Exports, CycloneDxIsThatOfItsSchema) {
  const auto bom = cyclonedx_of(full());
  EXPECT_EQ(bom["metadata"]["component"]["type"], "machine-learning-model");
  EXPECT_EQ(bom["components"].size(), 3u);
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (std::system((python + " -c 'import cyclonedx, jsonschema' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << python
                 << " has no cyclonedx with jsonschema; ALAMBIC_ORACLE names one that has";
  }
  const fs::path file = scratch.path() / "bom.json";
  write_file(file, bom.dump());
  const std::string check =
      python +
      " -c 'import sys; from cyclonedx.validation.json import JsonStrictValidator as V; "
      "from cyclonedx.schema import SchemaVersion as S; "
      "e = V(S.V1_6).validate_str(open(sys.argv[1]).read()); sys.exit(str(e) if e else 0)' ";
  EXPECT_EQ(std::system((check + file.string()).c_str()), 0) << bom.dump(1);
}

TEST_F(Exports, TellWhatIsUnknown) {
  const std::string annex = annex_xi_of(full());
  EXPECT_NE(annex.find("| energy (J) | unknown: no counter was read |"), std::string::npos)
      << annex;
  EXPECT_NE(annex.find("6 N D"), std::string::npos) << annex;
  const std::string card = card_section_of(full());
  EXPECT_NE(card.find("- mit (student m): notice"), std::string::npos) << card;
}

TEST_F(Exports, RefuseARecordThatLacksAField) {
  nlohmann::json less = full();
  less["clock"].erase("updated");
  EXPECT_THROW(spdx_of(less), Error);
  EXPECT_THROW(cyclonedx_of(less), Error);
  less["clock"].erase("training_seconds");
  EXPECT_THROW(annex_xi_of(less), Error);
  less.erase("tool");
  EXPECT_THROW(card_section_of(less), Error);
}

}  // namespace
}  // namespace alambic::exports_test
