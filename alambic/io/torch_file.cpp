#include "alambic/io/torch_file.h"

#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/pickle.h"
#include "alambic/io/strided_copy.h"
#include "alambic/io/zip_file.h"

namespace alambic {

namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view rebuild_v2 = "torch._utils _rebuild_tensor_v2",
                           rebuild_v3 = "torch._utils _rebuild_tensor_v3",
                           rebuild_parameter = "torch._utils _rebuild_parameter",
                           untyped = "torch.storage UntypedStorage";

struct NamedDtype {
  std::string_view global;
  Dtype dtype;
};

// Storages with a number format of their own, and the formats that v3 names beside a storage.
constexpr std::array named_dtypes = {
    NamedDtype{"torch FloatStorage", Dtype::F32},
    NamedDtype{"torch HalfStorage", Dtype::F16},
    NamedDtype{"torch BFloat16Storage", Dtype::BF16},
    NamedDtype{"torch DoubleStorage", Dtype::F64},
    NamedDtype{"torch LongStorage", Dtype::I64},
    NamedDtype{"torch IntStorage", Dtype::I32},
    NamedDtype{"torch ShortStorage", Dtype::I16},
    NamedDtype{"torch CharStorage", Dtype::I8},
    NamedDtype{"torch ByteStorage", Dtype::U8},
    NamedDtype{"torch BoolStorage", Dtype::BOOL},
    NamedDtype{"torch ComplexFloatStorage", Dtype::C64},
    NamedDtype{"torch uint16", Dtype::U16},
    NamedDtype{"torch uint32", Dtype::U32},
    NamedDtype{"torch uint64", Dtype::U64},
    NamedDtype{"torch float8_e4m3fn", Dtype::F8_E4M3},
    NamedDtype{"torch float8_e5m2", Dtype::F8_E5M2},
    NamedDtype{"torch float8_e4m3fnuz", Dtype::F8_E4M3FNUZ},
    NamedDtype{"torch float8_e5m2fnuz", Dtype::F8_E5M2FNUZ},
    NamedDtype{"torch float8_e8m0fnu", Dtype::F8_E8M0},
};

std::optional<Dtype> dtype_of_global(std::string_view global) {
  for (const NamedDtype& one : named_dtypes) {
    if (one.global == global) return one.dtype;
  }
  return {};
}

std::vector<std::string_view> allowed_globals() {
  std::vector<std::string_view> globals = {"collections OrderedDict", rebuild_v2, rebuild_v3,
                                           rebuild_parameter, untyped};
  for (const NamedDtype& one : named_dtypes) globals.push_back(one.global);
  return globals;
}

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {
    for (const ZipEntry& entry : parse_zip(file, name)) entries_.emplace(entry.name, entry.bytes);
    find_prefix();
  }

  TorchContents run();

 private:
  template <class... Args>
  Error refused(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("cannot read {}: {}", name_,
                       fmt::format(format, std::forward<Args>(args)...));
  }
  // An error about the tensor that is being read.
  template <class... Args>
  Error wrong(fmt::format_string<Args...> format, Args&&... args) const {
    return refused("tensor {}: {}", printable(tensor_),
                   fmt::format(format, std::forward<Args>(args)...));
  }

  struct Storage {
    std::span<const std::byte> bytes;
    std::optional<Dtype> dtype;  // nothing for an untyped one
  };

  void find_prefix();
  void check_byte_order() const;
  const PickleValue& argument(const PickleValue& value, size_t index, Kind kind) const;
  std::vector<int64_t> sizes(const PickleValue& tuple) const;
  Storage storage(const PickleValue& value) const;
  TensorView tensor(const PickleValue& value);
  std::span<const std::byte> bytes_of(const Strided& strided, const Storage& storage,
                                      uint64_t number_bytes, uint64_t length);

  std::span<const std::byte> file_;
  const std::string& name_;
  std::unordered_map<std::string, std::span<const std::byte>> entries_;
  std::string prefix_;
  std::string tensor_;  // that is being read
  uint64_t copied_ = 0;
  TorchContents contents_;
};

void Reader::find_prefix() {
  constexpr std::string_view pickle = "/data.pkl";
  for (const auto& [entry, bytes] : entries_) {
    if (!entry.ends_with(pickle) || entry.find('/') != entry.size() - pickle.size()) continue;
    if (!prefix_.empty()) throw refused("it has two entries called data.pkl");
    prefix_ = entry.substr(0, entry.size() - pickle.size() + 1);
  }
  if (prefix_.empty()) {
    throw refused("the zip archive has no data.pkl").with_hint("is it a file of torch.save?");
  }
}

void Reader::check_byte_order() const {
  const auto found = entries_.find(prefix_ + "byteorder");
  if (found == entries_.end()) return;  // before torch 2.1: little-endian machines only
  const std::string_view order(reinterpret_cast<const char*>(found->second.data()),
                               found->second.size());
  if (order != "little") {
    throw refused("its byte order should be \"little\", found \"{}\"", printable(order));
  }
}

const PickleValue& Reader::argument(const PickleValue& value, size_t index, Kind kind) const {
  if (index >= value.items.size()) throw wrong("it is described by too few values");
  const PickleValue& found = *value.items[index];
  if (found.kind != kind) {
    throw wrong("value {} of its description should be a {}, found a {}", index, name_of(kind),
                name_of(found.kind));
  }
  return found;
}

std::vector<int64_t> Reader::sizes(const PickleValue& tuple) const {
  constexpr size_t max = 64;
  if (tuple.items.size() > max) throw wrong("it has {} dimensions", tuple.items.size());
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < tuple.items.size(); ++i) {
    sizes.push_back(argument(tuple, i, Kind::integer).number);
    if (sizes.back() < 0) throw wrong("a size or stride of {}", sizes.back());
  }
  return sizes;
}

// ("storage", type, key, device, numbers in it)
Reader::Storage Reader::storage(const PickleValue& value) const {
  const PickleValue& id = argument(value, 0, Kind::tuple);
  if (argument(id, 0, Kind::text).text != "storage") throw wrong("it lies in no storage");
  const std::string& type = argument(id, 1, Kind::global).text;
  const std::string entry = prefix_ + "data/" + argument(id, 2, Kind::text).text;
  const int64_t numbers = argument(id, 4, Kind::integer).number;
  Storage storage{.dtype = dtype_of_global(type)};
  if (!storage.dtype && type != untyped) throw wrong("{} is no storage", type);
  const auto found = entries_.find(entry);
  if (found == entries_.end()) throw wrong("the file has no entry {}", printable(entry));
  storage.bytes = found->second;
  const auto length =
      numbers < 0 ? std::nullopt : byte_size(storage.dtype.value_or(Dtype::U8), {numbers});
  if (length != storage.bytes.size()) {
    throw wrong("its storage should be {} numbers, entry {} has {} bytes", numbers,
                printable(entry), storage.bytes.size())
        .with_hint("an incomplete download?");
  }
  return storage;
}

// The tensor's bytes row by row: in place, or copied in that order.
std::span<const std::byte> Reader::bytes_of(const Strided& strided, const Storage& storage,
                                            uint64_t number_bytes, uint64_t length) {
  if (length == 0) return {};
  const auto last = last_index(strided);
  if (!last || *last >= storage.bytes.size() / number_bytes) {
    throw wrong("its sizes and strides reach beyond its storage of {} bytes", storage.bytes.size());
  }
  if (is_contiguous(strided)) {
    return storage.bytes.subspan(static_cast<uint64_t>(strided.offset) * number_bytes, length);
  }
  if (length > storage.bytes.size() || length > file_.size() - copied_) {
    throw wrong("it shows {} bytes of its storage several times over, {} in all",
                storage.bytes.size(), length)
        .with_hint("save it again after .contiguous()");
  }
  copied_ += length;
  return contents_.owned.emplace_back(copy_in_order(strided, storage.bytes, number_bytes));
}

// _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks[, metadata]), v3 with a
// dtype before the metadata; _rebuild_parameter(tensor, requires_grad, hooks).
TensorView Reader::tensor(const PickleValue& value) {
  if (value.kind != Kind::call) {
    throw refused("entry {} is a {}, but a state dict holds tensors only", printable(tensor_),
                  name_of(value.kind))
        .with_hint("save the model again with transformers' save_pretrained");
  }
  const std::string& function = argument(value, 0, Kind::global).text;
  if (function == rebuild_parameter) {
    const PickleValue& inner = argument(value, 1, Kind::call);
    // A parameter of a parameter of … would be a recursion as deep as the file likes.
    if (argument(inner, 0, Kind::global).text == rebuild_parameter) {
      throw wrong("a parameter within a parameter");
    }
    return tensor(inner);
  }
  const bool v3 = function == rebuild_v3;
  if (!v3 && function != rebuild_v2) throw wrong("{} makes no tensor", function);
  const size_t known = v3 ? 8 : 7;
  for (size_t i = known; i < value.items.size(); ++i) {
    const PickleValue& metadata = *value.items[i];
    const bool empty =
        metadata.kind == Kind::none || (metadata.kind == Kind::dict && metadata.items.empty());
    if (!empty || i > known) throw wrong("it has metadata (conjugate or negative bits)");
  }
  const Storage where = storage(argument(value, 1, Kind::persistent));
  const auto dtype = v3 ? dtype_of_global(argument(value, 7, Kind::global).text) : where.dtype;
  if (!dtype) throw wrong("its storage or dtype is none that Alambic reads");
  const Strided strided{.offset = argument(value, 2, Kind::integer).number,
                        .sizes = sizes(argument(value, 3, Kind::tuple)),
                        .strides = sizes(argument(value, 4, Kind::tuple))};
  if (strided.offset < 0 || strided.sizes.size() != strided.strides.size()) {
    throw wrong("it has {} sizes, {} strides and the offset {}", strided.sizes.size(),
                strided.strides.size(), strided.offset);
  }
  const auto length = byte_size(*dtype, strided.sizes);
  if (!length) throw wrong("its sizes make more than 2^64 bits");
  return {.name = tensor_,
          .dtype = *dtype,
          .shape = strided.sizes,
          .bytes = bytes_of(strided, where, block_bits(*dtype) / 8, *length)};
}

TorchContents Reader::run() {
  check_byte_order();
  const std::vector<std::string_view> globals = allowed_globals();
  const Pickle pickle =
      parse_pickle(entries_.at(prefix_ + "data.pkl"), name_ + ", its data.pkl", globals);
  const PickleValue& root = *pickle.root;
  if (root.kind != Kind::dict) {
    throw refused("it holds a {}, not a dict of tensors", name_of(root.kind))
        .with_hint("save the model's state_dict(), or the model with save_pretrained");
  }
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < root.items.size(); i += 2) {
    const PickleValue& key = *root.items[i];
    if (key.kind != Kind::text) throw refused("a name of its dict is a {}", name_of(key.kind));
    if (!names.insert(key.text).second) {
      throw refused("tensor {} stands twice", printable(key.text));
    }
    tensor_ = key.text;
    contents_.tensors.push_back(tensor(*root.items[i + 1]));
  }
  return std::move(contents_);
}

void check_kind_of_file(std::span<const std::byte> file, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  constexpr std::string_view old_magic = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8P\x19.";
  constexpr uint64_t tar_magic = 257;
  if (text.starts_with("version https://git-lfs")) {
    throw input_error("cannot read {}: it only points to a file in Git LFS", name)
        .with_hint("fetch the file itself: git lfs pull");
  }
  const bool tar = text.size() > tar_magic && text.substr(tar_magic).starts_with("ustar");
  if (tar || text.starts_with(old_magic)) {
    throw input_error("cannot read {}: it is in the format of PyTorch before 1.6{}", name,
                      tar ? " (tar)" : "")
        .with_hint(
            "write it anew with Python: torch.save(torch.load(FILE, weights_only=True), FILE)");
  }
  if (!text.starts_with("PK")) {
    throw input_error("cannot read {}: a file of torch.save begins with \"PK\", found \"{}\"", name,
                      printable(text.substr(0, 8)))
        .with_hint("is it a file of torch.save? an incomplete download?");
  }
}

}  // namespace

TorchContents parse_torch(std::span<const std::byte> file, const std::string& name) {
  check_kind_of_file(file, name);
  return Reader(file, name).run();
}

TorchFile TorchFile::open(const fs::path& path) {
  MappedFile file = MappedFile::open(path);
  TorchContents contents = parse_torch(file.bytes(), path.string());
  return {std::move(file), std::move(contents)};
}

}  // namespace alambic
