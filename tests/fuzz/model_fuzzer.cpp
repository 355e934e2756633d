// Whatever a model's file holds, read_model gives a model whose symmetry can act on its weights, or an Error.
#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "hdf5_mutation.hpp"
#include "io/model_file.hpp"

namespace {

using namespace fleet;

/// Two attention heads, so that groups lie within blocks, and a layer.
std::string make_sample() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("query", {4, 3});
  layout->add("out", {3, 4});
  layout->add("w", {2, 3});
  const SymmetrySpec symmetry(layout,
                              {{.name = "head.0", .size = 2, .kind = GroupKind::kSigned, .parent = 2, .block = 0},
                               {.name = "head.1", .size = 2, .kind = GroupKind::kSigned, .parent = 2, .block = 1},
                               {"heads", 2},
                               {"hidden", 2}},
                              {{.tensor = 0, .axis = 0, .group = 0},
                               {.tensor = 0, .axis = 0, .group = 1, .offset = 2},
                               {.tensor = 0, .axis = 0, .group = 2, .inner = 2},
                               {.tensor = 2, .axis = 0, .group = 3}});
  SavedModel model{.robot = 1, .samples = 7, .symmetry = symmetry, .weights = ParamVector(layout)};
  model.settings["seed"].value = std::int64_t{1};
  model.companions["mean"] = {0.0F, 1.0F};
  return bytes_made_by([&](const std::filesystem::path& path) { write_model(path, model, {{"mpi", "1"}}); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string sample = make_sample();
  FuzzChoices choices(data, size);
  const FuzzFile file(MutatedFile(sample, choices).bytes());
  try {
    const SavedModel model = read_model(file.path());
    RandomStream stream(1, Purpose::kTest);
    for (int draw = 0; draw < 4; ++draw) {
      const GroupElement element = model.symmetry.random(stream);
      (void)model.symmetry.compose(element, model.symmetry.inverse(element));
      (void)model.symmetry.apply(element, model.weights);
    }
  } catch (const Error&) {
    if (size == 0) __builtin_trap();  // the sample itself
  }
  return 0;
}
