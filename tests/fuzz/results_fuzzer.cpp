// Whatever a cell's file holds, what joins cells, and what takes weights from them, gives results or an Error.
#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "hdf5_mutation.hpp"
#include "io/results.hpp"
#include "io/stored_weights.hpp"

namespace {

using namespace fleet;

std::string make_sample() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("w", {2, 3});
  const ParamVector weights(layout);
  const SymmetrySpec symmetry(layout, {{"hidden", 2}}, {{.tensor = 0, .axis = 0, .group = 0}});
  CellRecord cell{
      .id = "0123456789abcdef", .columns = {{"seed", Value(std::int64_t{1})}}, .axes = {"seed"}, .ranks = 1};
  cell.settings["seed"].value = std::int64_t{1};
  cell.rounds.push_back({.round = 1,
                         .epoch = 1,
                         .metrics = {{kMergedPolicy, "test", "accuracy", 0.5}},
                         .measurements = {{.instrument = "norms", .subject = "", .split = "", .metric = "norm"}}});
  cell.histograms = {{3, 1}};
  cell.merged = &weights;
  cell.symmetry = &symmetry;
  cell.elements[0] = symmetry.identity();
  Provenance provenance;
  for (const char* key : {"fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "device", "hosts",
                          "command_line", "started", "finished"}) {
    provenance[key] = key;
  }
  return bytes_made_by(
      [&](const std::filesystem::path& path) { write_cell_file(path, "sweep", "seed = 1\n", cell, provenance); });
}

/// What `act` may not do to the sample itself is to fail.
template <class Act>
void try_to(bool sample, Act act) {
  try {
    act();
  } catch (const Error&) {
    if (sample) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string sample = make_sample();
  static const std::string joined = cat("/dev/shm/fuzz-", getpid(), ".h5");
  FuzzChoices choices(data, size);
  const FuzzFile file(MutatedFile(sample, choices).bytes());
  const std::vector<std::filesystem::path> files = {file.path()};
  try_to(size == 0, [&] { join_cell_files(files, "seed = 1\n", {"seed"}, joined); });
  try_to(size == 0, [&] { (void)read_weights(file.path(), ""); });
  try_to(size == 0, [&] {
    const Hdf5Reader reader(file.path());
    (void)read_metrics(reader, read_cells(reader).rows());
  });
  std::filesystem::remove(joined);
  return 0;
}
