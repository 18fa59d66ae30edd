#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/provenance/machine.h"
#include "alambic/provenance/record_lines.h"
#include "alambic/provenance/run_record.h"
#include "fuzz/fuzz.h"

namespace alambic {

std::vector<std::string> fuzz_seeds() {
  return {R"({"clock":{"log":{"hash":"","lines":0}},"command":{"config":{},"name":"train"},)"
          R"("counters":{"generated_tokens":0,"graded_tokens":0,"learned_tokens":0,)"
          R"("skipped_steps":0,"steps":0},"data":[],"determinism":{},"evaluation":{},"events":[],)"
          R"("format":1,"hardware":{"ranks":[],"self_reported":true},"output":{},)"
          R"("parents":[],"policy":{},"precision":"","scores":[],"seed":0,"state":"started",)"
          R"("student":{"license":{"id":"mit","told_by":"card"},"name":"s","root":"0"},)"
          R"("teachers":[],"tokenizer":{},"tool":{"name":"alambic","version":"1"}})"
          "\n"};
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  static const TemporaryFolder scratch;
  make_folder(scratch.path() / "provenance");
  write_file(scratch.path() / record_name, text_of(data, size));
  parse_or_refuse([&] {
    const auto record = read_record(scratch.path());
    record_faults(scratch.path(), *record);
    record_lines(*record);
  });
  return 0;
}
