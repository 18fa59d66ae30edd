#include "alambic/cli/commands/info_facts.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/processor_name.h"
#include "alambic/base/units.h"
#include "alambic/base/version.h"
#include "alambic/cli/torch_library.h"
#include "alambic/io/model_folder.h"
#include "alambic/provenance/machine.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

// The sizes that families spell differently: ours, then the spellings of config.json.
const std::vector<std::pair<std::string, std::vector<std::string>>> kSizes = {
    {"layers", {"num_hidden_layers", "n_layer"}},
    {"width", {"hidden_size", "n_embd"}},
    {"heads", {"num_attention_heads", "n_head"}},
    {"kv_heads", {"num_key_value_heads"}},
    {"vocabulary", {"vocab_size"}},
    {"context", {"max_position_embeddings", "n_positions"}},
    {"tied_embeddings", {"tie_word_embeddings"}},
};

// The model types that can be loaded: a list of names, for which libtorch is not needed.
Json families() {
  return Json::array({
#define FAMILY(type, architecture) #type,
#include "alambic/model/families.def"
#undef FAMILY
  });
}

// A line for every GPU: number, name, compute capability, memory, driver.
Json gpus() {
  const GpuList list = list_gpus();
  Json lines = Json::array();
  for (size_t i = 0; i < list.gpus.size(); ++i) {
    const Gpu& gpu = list.gpus[i];
    std::string line = fmt::format("{}: {}", i, gpu.name.empty() ? "unknown" : gpu.name);
    if (!gpu.compute_capability.empty()) {
      line += fmt::format(", compute capability {}", gpu.compute_capability);
    }
    if (gpu.memory_bytes) {
      line += fmt::format(", {}", human_bytes(static_cast<double>(*gpu.memory_bytes)));
    }
    if (!gpu.driver.empty()) line += fmt::format(", driver {}", gpu.driver);
    if (gpu.mig.value_or(false)) line += ", in MIG slices";
    lines.push_back(line);
  }
  if (list.gpus.empty()) {
    lines.push_back("none" + (list.unknown.empty() ? "" : ": " + list.unknown));
  }
  return lines;
}

// Whether `--device cuda` has its libraries, and what the loader says where it has not.
std::string cuda() {
  try {
    const std::string problem = cuda_problem();
    if (!problem.empty()) return "cannot be used: " + problem;
    const std::string without = cuda_kernels_problem();
    return "libraries loaded" +
           (without.empty() ? ", with our kernels" : "; no kernels of ours: " + without);
  } catch (const Error& error) {
    return fmt::format("cannot be used: {}", error.what());
  }
}

}  // namespace

Json machine_facts() {
  utsname system{};
  uname(&system);
  const double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  const double bytes = pages * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  return {{"alambic", kVersion},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"cpu", processor_name()},
          {"threads", default_threads()},
          {"memory_gib", std::round(bytes / (1 << 30) * 10) / 10},
          {"nvidia_driver", path_exists("/dev/nvidiactl")},
          {"gpus", gpus()},
          {"cuda", cuda()},
          {"families", families()}};
}

Json model_facts(const fs::path& folder) {
  const ModelFolder model = ModelFolder::open(folder);
  Json facts = {{"folder", folder.string()}};
  for (const char* key : {"model_type", "architectures"}) {
    if (model.config().contains(key)) facts[key] = model.config()[key];
  }
  for (const auto& [name, spellings] : kSizes) {
    for (const std::string& key : spellings) {
      if (model.config().contains(key)) facts[name] = model.config()[key];
    }
  }
  int64_t parameters = 0, bytes = 0;
  std::set<std::string> dtypes;
  for (const TensorView& tensor : model.tensors()) {
    bytes += static_cast<int64_t>(tensor.bytes.size());
    parameters += count_of(tensor.shape);
    dtypes.insert(name_of(tensor.dtype));
  }
  facts["tensors"] = model.tensors().size();
  facts["parameters"] = parameters;
  facts["bytes"] = bytes;
  facts["dtypes"] = dtypes;
  facts["tokenizer"] = has_tokenizer(folder);
  return facts;
}

}  // namespace alambic
