#include "alambic/io/gguf/types.h"

#include <string_view>

namespace alambic {

namespace {

struct Entry {
  uint32_t number;
  std::string_view name;
  std::optional<Dtype> dtype;  // nothing: not read
};

constexpr Entry entries[] = {
    {0, "F32", Dtype::F32},
    {1, "F16", Dtype::F16},
    {2, "Q4_0", Dtype::Q4_0},
    {3, "Q4_1", Dtype::Q4_1},
    {6, "Q5_0", Dtype::Q5_0},
    {7, "Q5_1", Dtype::Q5_1},
    {8, "Q8_0", Dtype::Q8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", Dtype::Q2_K},
    {11, "Q3_K", Dtype::Q3_K},
    {12, "Q4_K", Dtype::Q4_K},
    {13, "Q5_K", Dtype::Q5_K},
    {14, "Q6_K", Dtype::Q6_K},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", Dtype::IQ2_XXS},
    {17, "IQ2_XS", Dtype::IQ2_XS},
    {18, "IQ3_XXS", Dtype::IQ3_XXS},
    {19, "IQ1_S", Dtype::IQ1_S},
    {20, "IQ4_NL", Dtype::IQ4_NL},
    {21, "IQ3_S", Dtype::IQ3_S},
    {22, "IQ2_S", Dtype::IQ2_S},
    {23, "IQ4_XS", Dtype::IQ4_XS},
    {24, "I8", Dtype::I8},
    {25, "I16", Dtype::I16},
    {26, "I32", Dtype::I32},
    {27, "I64", Dtype::I64},
    {28, "F64", Dtype::F64},
    {29, "IQ1_M", Dtype::IQ1_M},
    {30, "BF16", Dtype::BF16},
    {34, "TQ1_0", Dtype::TQ1_0},
    {35, "TQ2_0", Dtype::TQ2_0},
    {39, "MXFP4", Dtype::MXFP4},
    {40, "NVFP4", {}},
    {41, "Q1_0", {}},
};

}  // namespace

std::optional<Dtype> dtype_of_ggml(uint32_t number) {
  for (const Entry& entry : entries) {
    if (entry.number == number) return entry.dtype;
  }
  return std::nullopt;
}

std::optional<uint32_t> ggml_number(Dtype dtype) {
  for (const Entry& entry : entries) {
    if (entry.dtype == dtype) return entry.number;
  }
  return std::nullopt;
}

std::string ggml_name(uint32_t number) {
  for (const Entry& entry : entries) {
    if (entry.number == number) return std::string(entry.name);
  }
  return "";
}

}  // namespace alambic
