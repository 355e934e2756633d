// `fleet run CONFIG`: a sweep, on the ranks that mpirun has started.
#include <charconv>
#include <cmath>
#include <iostream>

#include "comm/agreement.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"
#include "command/provenance.hpp"
#include "command/sweep_arguments.hpp"
#include "io/toml.hpp"
#include "sweep/progress.hpp"
#include "sweep/runner.hpp"
#include "sweep/summary.hpp"
#include "torch/device.hpp"
#include "torch/runtime.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;
using namespace exit_code;

RunRequest read_request(const po::variables_map& values) {
  RunRequest request;
  request.accept_changes = values.contains("accept-changes");
  request.into_existing = values.contains("into-existing");
  request.collect = !values.contains("no-collect");
  const std::string rerun = values["rerun"].as<std::string>();
  if (rerun == "failed") request.rerun = RunRequest::Rerun::kFailed;
  if (rerun == "all") request.rerun = RunRequest::Rerun::kAll;
  const std::string shard = values["shard"].as<std::string>();
  const std::size_t slash = std::min(shard.find('/'), shard.size());
  const char* const end = shard.data() + shard.size();
  const auto index = std::from_chars(shard.data(), end, request.shard);
  const auto count = std::from_chars(std::min(shard.data() + slash + 1, end), end, request.shards);
  const bool read = index.ec == std::errc{} && index.ptr == shard.data() + slash && count.ec == std::errc{};
  if (!read || count.ptr != end || request.shard < 0 || request.shard >= request.shards) {
    throw ConfigError(cat("--shard ", shard, ": expected I/N with 0 <= I < N"));
  }
  return request;
}

int report(const Sweep& sweep, const RunSummary& summary, bool collect) {
  const SweepDirectory directory(sweep.run.output);
  if (collect && !directory.cell_files().empty()) {
    const std::filesystem::path joined = directory.joined_file();
    directory.collect(joined);
    std::cout << '\n';
    print_summary(std::cout, joined);
    std::cout << "\nresults: " << joined.string() << '\n';
  }
  const int failures = summary.failed + summary.failed_before;
  std::cout << summary.ran - summary.failed + summary.done_before << " cells done (" << summary.done_before
            << " of them before)";
  if (failures > 0) {
    std::cout << ", " << failures << " failed: `fleet status " << shell_quoted(directory.path().string())
              << "` says why, `--rerun failed` tries them again";
  }
  if (summary.elsewhere > 0) std::cout << ", " << summary.elsewhere << " left to another job that runs them";
  std::cout << '\n';
  if (summary.ran > 0) {
    std::cout << "efficiency: " << std::lround(100.0 * summary.efficiency()) << " % of "
              << duration_text(summary.allocated_seconds) << " of rank time" << '\n';
  }
  std::cout << std::flush;
  return failures > 0 ? kFailed : 0;
}

/// Gives every rank its GPU if the sweep asks for them, or refuses the run. What ranks compute on, for provenance.
std::string take_device(const Sweep& sweep, const Comm& world) {
  if (!sweep.asks_for_gpus()) return "cpu";
  const Comm node = world.node();
  std::string gpu;
  world.together([&] { gpu = take_gpu(node.rank()); });
  std::string all;
  for (const std::string& name : world.all_gather(gpu)) all += (all.empty() ? "" : ", ") + name;
  return all;
}

/// What one rank reads, on every rank: a file may be changed while ranks start, be an old copy on some node, or a pipe.
std::string read_once(const std::filesystem::path& config, const Comm& world) {
  std::string text;
  world.together([&] {
    if (world.is_root()) text = read_toml_text(config);
  });
  world.broadcast(text);
  return text;
}

/// Differs where sweeps, or the data that ranks have found for them, differ.
std::string identity_of(const Sweep& sweep) {
  std::string text = sweep.config;
  for (const Cell& cell : sweep.cells) text += cat("cell ", cell.id, ": ", cell.label(), '\n');
  return text;
}

int run_sweep_of(const Call& call) {
  const Comm& world = *call.ranks;
  const po::variables_map& values = call.values;
  Worlds made;
  Sweep sweep;
  RunRequest request;
  const std::string config = read_once(config_of(values), world);
  together_telling_where(world, [&] {
    sweep = read_sweep(values, config, call.worlds, made);
    request = read_request(values);
  });
  require_same(world, "what is to be run", identity_of(sweep));
  set_threads(sweep.run.threads);
  request.provenance = provenance_of("run", call.arguments, world);
  request.provenance["device"] = take_device(sweep, world);
  try {
    const RunSummary summary = run_sweep(sweep, made, request, world);
    int code = 0;
    world.together([&] {
      if (world.is_root()) code = report(sweep, summary, request.collect);
    });
    return static_cast<int>(world.max(code));
  } catch (const Interrupted&) {
    if (world.is_root()) {
      std::cerr << "fleet: interrupted; finished cells are kept, and those under way as far as they are. To go on, run "
                   "the same command again:\n  "
                << request.provenance["command_line"] << std::endl;
    }
    return kInterrupted;
  }
}

po::options_description options() {
  po::options_description options = sweep_options();
  options.add_options()("shard", po::value<std::string>()->default_value("0/1"),
                        "I/N: run only every N-th cell, from the I-th (job arrays)");
  options.add_options()("rerun", one_of({"none", "failed", "all"}, "none"), "which finished cells to run again");
  options.add_options()("accept-changes", "go on in a directory whose sweep had another configuration");
  options.add_options()("into-existing", "write beside files of others in a directory that holds no sweep yet");
  options.add_options()("no-collect", "do not join the cells into OUTPUT.h5 at the end");
  return options;
}

}  // namespace

Command command::run() {
  return {.name = "run",
          .summary = "run a sweep, under mpirun or srun: mpirun -n 5 fleet run CONFIG",
          .usage = "CONFIG [options]",
          .operand = kConfig,
          .options = options,
          .run = run_sweep_of,
          .on_ranks = true,
          .computes = true};
}

}  // namespace fleet
