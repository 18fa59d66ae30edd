#include "alambic/jobs/run_facts.h"

#include <algorithm>
#include <ctime>
#include <functional>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/printable.h"
#include "alambic/base/sha256.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/known_servers.h"
#include "alambic/options/option_table.h"
#include "alambic/provenance/machine.h"
#include "alambic/provenance/parents.h"
#include "alambic/provenance/policy/license_rule.h"
#include "alambic/provenance/run_record.h"
#include "alambic/remote/endpoint.h"
#include "alambic/remote/journal_usage.h"
#include "alambic/report/run_files.h"
#include "alambic/teacher/digest.h"

namespace alambic {
namespace {

using Record = nlohmann::json;

Record command_facts(const RunIngredients& of) {
  Record config = Record::object();
  for (const OptionEntry& entry : OptionTable(of.options).entries()) {
    if (entry.name == "resume" || entry.name == "overwrite" || entry.name == "allow-change")
      continue;
    config[entry.name] = entry.toml();
  }
  return {{"name", of.command}, {"config", config}};
}

// The rules of the policy that speak of this teacher: its terms, as far as they are known.
Record terms_of(const std::string& name, const Record& policy) {
  Record terms = Record::array();
  if (policy.is_object() && policy.contains("findings")) {
    for (const Record& finding : policy["findings"]) {
      if (finding["about"] != "teacher " + printable(name)) continue;
      terms.push_back(
          {{"rule", finding["rule"]}, {"source", finding["source"]}, {"as_of", finding["as_of"]}});
    }
  }
  return terms;
}

Record endpoint_facts(const std::string& address, const std::string& tag, const Record& policy) {
  const Endpoint endpoint = parse_endpoint(address);
  const Record unknown = unknown_fact("the model is behind an address");
  return {{"name", endpoint.name()},
          {"tag", tag},
          {"host", endpoint.host},
          {"model",
           endpoint.model.empty() ? unknown_fact("the server's only one") : Record(endpoint.model)},
          {"terms", terms_of(endpoint.name(), policy)},
          {"root", unknown},
          {"license",
           {{"id", unknown}, {"told_by", "none"}, {"file", ""}, {"sha256", ""}, {"card", ""}}}};
}

// `read`, or `otherwise` with the field `unread` unknown for this reason.
Record or_unknown(Record otherwise, const char* unread, const std::function<Record()>& read) {
  try {
    return read();
  } catch (const std::exception& error) {
    otherwise[unread] = unknown_fact(fmt::format("it could not be read: {}", error.what()));
    return otherwise;
  }
}

/// Facts with every byte read, or without (no memo).
class Reader {
 public:
  Reader(const RunIngredients& of, DigestMemo* memo) : of_(of), memo_(memo) {}

  Record model(const std::string& folder, const std::string& tag) const {
    if (is_endpoint(folder)) return endpoint_facts(folder, tag, of_.policy);
    const std::string name = as_hub_name(folder);
    const Record license = license_by_rules(folder);
    Record facts = {{"name", name}, {"root", not_yet()}};
    if (memo_ != nullptr) {
      facts = or_unknown(facts, "root", [&] { return model_facts(name, folder, memo_); });
    }
    facts["license"] = license;
    if (!tag.empty()) facts["tag"] = tag;
    return facts;
  }

  Record student() const {
    Record facts = model(of_.student, "");
    facts["parameters"] = of_.parameters;
    if (of_.lora.rank > 0) {
      facts["adapter"] = {
          {"rank", of_.lora.rank},       {"alpha", of_.lora.alpha},
          {"dora", of_.lora.dora},       {"rslora", of_.lora.rslora},
          {"targets", of_.lora.targets}, {"modules_to_save", of_.lora.modules_to_save}};
    }
    return facts;
  }

  Record teachers() const {
    Record list = Record::array();
    for (const NamedFolder& teacher : of_.teachers) {
      if (teacher.folder == "self") {  // the student as it was before the run
        Record self = model(of_.student, teacher.name);
        list.push_back({{"name", "self"},
                        {"tag", teacher.name},
                        {"root", self["root"]},
                        {"license", self["license"]}});
      } else {
        list.push_back(model(teacher.folder, teacher.name));
        if (!list.back().contains("tag")) list.back()["tag"] = "";
      }
    }
    return list;
  }

  // What scores whole completions: a rule, or a judge with its rubric.
  Record scores() const {
    Record list = Record::array();
    if (!of_.reward.judge.empty()) {
      Record judge = model(of_.reward.judge, "judge");
      judge["kind"] = "judge";
      judge["rubric"] =
          of_.reward.rubric.empty() ? Record("built in") : data(of_.reward.rubric, -1);
      list.push_back(std::move(judge));
    } else if (!of_.reward.reward.empty()) {
      list.push_back({{"kind", "rule"}, {"name", of_.reward.reward}});
    }
    return list;
  }

  Record all_data() const {
    Record list = Record::array();
    const std::vector<DataSource> sources = parse_data_sources(of_.data);
    for (size_t i = 0; i < sources.size(); ++i) {
      const bool apart = of_.shares.size() == sources.size();
      const int64_t rows = apart ? of_.shares[i].rows : sources.size() == 1 ? of_.rows : -1;
      list.push_back(data(sources[i].name, rows));
      list.back()["use"] = "training";
      list.back()["order_seed"] = of_.seed;
    }
    if (of_.held_out.empty()) return list;
    list.push_back(data(of_.held_out, -1));
    list.back()["use"] = "validation";
    return list;
  }

  Record tokenizer() const {
    const fs::path model = of_.student, file = model / "tokenizer.json";
    const std::string given = OptionTable(of_.options).find("chat-template")->text();
    const std::string chat = is_file(given)     ? sha256_file(given)
                             : is_folder(model) ? template_digest(model)
                                                : "none";
    return {{"sha256", is_file(file) ? Record(sha256_file(file))
                                     : unknown_fact("the model has no tokenizer.json")},
            {"chat_template", chat == "none" ? unknown_fact("the model has none") : Record(chat)}};
  }

  Record parents() const {
    std::vector<fs::path> models;
    const auto add = [&](const std::string& folder) {
      if (folder.empty() || folder == "self" || is_endpoint(folder)) return;
      if (std::ranges::find(models, fs::path(folder)) == models.end()) models.emplace_back(folder);
    };
    add(of_.student);
    for (const NamedFolder& teacher : of_.teachers) add(teacher.folder);
    add(of_.reward.judge);
    if (memo_ == nullptr) return parents_of(models);
    return verified_parents_of(models, trusted(), *memo_);
  }

 private:
  static Record not_yet() { return unknown_fact("it is read while the run goes on"); }

  Record data(const std::string& name, int64_t rows) const {
    Record facts = {{"name", name},
                    {"rows", rows < 0 ? unknown_fact("not counted") : Record(rows)},
                    {"sha256", not_yet()},
                    {"license", unknown_fact("nothing beside the data says it")}};
    if (memo_ == nullptr) return facts;
    return or_unknown(facts, "sha256", [&] { return data_facts(name, rows, memo_); });
  }

  std::vector<TrustedSigner> trusted() const {
    std::vector<TrustedSigner> signers;
    for (const std::string& key : of_.run.parent_keys) {
      signers.push_back({.key = read_public_key(key)});
    }
    for (const std::string& root : of_.run.parent_trust_roots) {
      signers.push_back(
          {.key = nullptr, .roots = read_certificates(root), .when = std::time(nullptr)});
    }
    return signers;
  }

  const RunIngredients& of_;
  DigestMemo* memo_;
};

Record facts_by(const RunIngredients& of, DigestMemo* memo) {
  const Reader reader(of, memo);
  return {{"student", reader.student()},     {"teachers", reader.teachers()},
          {"scores", reader.scores()},       {"data", reader.all_data()},
          {"tokenizer", reader.tokenizer()}, {"parents", reader.parents()}};
}

int64_t add_spent_of(const fs::path& journals, const JournalUsage& more, Record& facts) {
  JournalUsage all = journal_usage(journals);
  all.usage += more.usage;
  all.replies += more.replies;
  facts["spent"] = {{"replies", all.replies},
                    {"input_tokens", all.usage.input_tokens},
                    {"output_tokens", all.usage.output_tokens}};
  return all.replies;
}

}  // namespace

Record begun_record(const RunIngredients& of) {
  Record record = facts_by(of, nullptr);
  record.update(
      {{"format", 1},
       {"state", "started"},
       {"tool", tool_facts()},
       {"command", command_facts(of)},
       {"hardware", of.hardware},
       {"seed", of.seed},
       {"precision", of.precision},
       {"determinism",
        {{"draws", "functions of the seed, the step, the row and the position"},
         {"sums", of.on_cpu ? "in one order, for this number of threads and instruction set"
                            : "in an order that the GPU's libraries do not promise"}}},
       {"events", Record::array()},
       {"evaluation", unknown_fact("the run has not ended")},
       {"output", unknown_fact("the run has not ended")},
       {"policy", of.policy.is_null() ? unknown_fact("no policy was asked") : of.policy}});
  return record;
}

Record read_facts(const RunIngredients& of) {
  // A run needs the other cores.
  DigestMemo memo(static_cast<int>(std::max<int64_t>(1, default_threads() / 4)));
  Record facts = facts_by(of, &memo);
  facts["files"] = or_unknown(Record::object(), "files", [&] {
    return Record{{"files", tool_files(memo)}};
  })["files"];
  return facts;
}

void add_spent(const fs::path& run, const RunIngredients& of, Record& record) {
  const std::vector<ServerRecord> servers = known_servers(run);
  int64_t calls = 0;
  for (Record& teacher : record["teachers"]) {
    if (!teacher.contains("host")) continue;
    const std::string tag = teacher["tag"];
    const auto written = of.written.find(tag);
    calls += add_spent_of(run / run_files::remote / (tag.empty() ? "teacher" : tag),
                          written == of.written.end() ? JournalUsage() : written->second, teacher);
    const auto found = std::ranges::find(servers, tag, &ServerRecord::teacher);
    if (found == servers.end()) continue;
    teacher["server"] = {
        {"protocol", found->protocol}, {"model", found->model}, {"version", found->version}};
  }
  for (Record& judge : record["scores"]) {
    if (judge.contains("host")) {
      calls += add_spent_of(run / run_files::remote / "judge", {}, judge);
    }
  }
  record["counters"]["teacher_calls"] = calls;
}

}  // namespace alambic
