// Files of torch.save: the first byte chooses whether the rest is the archive or its pickle.
#include "alambic/io/torch_file.h"
#include "fuzz/fuzz.h"
#include "tests/io/torch_builder.h"

namespace alambic {

using namespace torch_builder;  // NOLINT: the builder is all that this file is about

std::vector<std::string> fuzz_seeds() {
  const std::string metadata = text("_metadata") + "}";
  const std::string parameter = global("torch._utils", "_rebuild_parameter");
  const std::vector<std::string> pickles = {
      pickle(dict({{"weight", tensor({})}})),
      pickle(dict(
          {{"t", tensor({.strides = {1, 2}})},
           {"p", call(parameter, {tensor({.type = "HalfStorage", .numbers = 8}), "\x88", "}"})}})),
      pickle("ccollections\nOrderedDict\n)Rq\x01(" + text("w") +
             tensor({.sizes = {}, .strides = {}}) + "u}" + metadata + "sb"),
      pickle("]q\x02(K\x01M\x02\x01J\x01\x02\x03\x04Nh\x02G12345678e"),
  };
  std::vector<std::string> seeds;
  for (const std::string& one : pickles) {
    seeds.push_back("p" + one);
    seeds.push_back("z" + file(one, {{"x/byteorder", "little"}}));
  }
  return seeds;
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  if (size == 0) return 0;
  const std::string rest(text_of(data + 1, size - 1));
  const std::string archive = data[0] % 2 == 0 ? rest : torch_builder::file(rest);
  parse_or_refuse([&] {
    size_t sum = 0;
    for (const TensorView& tensor : parse_torch(std::as_bytes(std::span(archive)), "f").tensors) {
      if (!tensor.bytes.empty()) sum += static_cast<size_t>(tensor.bytes.span().back());
    }
    if (sum > archive.size() * 255) std::abort();  // reads the views' ends
  });
  return 0;
}
