#include "torch/device.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>

#include "base/process.hpp"
#include "torch/runtime.hpp"
#include "torch/torch_pch.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, DeviceKind>, 2> kDevices{
    {{"cpu", DeviceKind::kCpu}, {"cuda", DeviceKind::kCuda}}};

}  // namespace

DeviceKind read_device(SettingsReader& settings) {
  DeviceKind device = DeviceKind::kCpu;
  settings.read("run.device", device, Names<DeviceKind>(kDevices), about::kDevice);
  if (device == DeviceKind::kCuda && !at::Context::hasCUDART()) {
    reject("run.device", settings.resolved().at("run.device"),
           cat("LibTorch ", torch_version(),
               ", with which this program was built, was built without CUDA and sees 0 devices; build fleet against a "
               "LibTorch for CUDA (cmake -DCMAKE_PREFIX_PATH=.../libtorch), or use \"cpu\""));
  }
  return device;
}

std::string take_gpu(int rank_on_node) {
  const auto count = static_cast<int>(torch::cuda::device_count());
  require(count > 0, "run.device = \"cuda\": LibTorch ", torch_version(), ", built with",
          at::Context::hasCUDART() ? "" : "out", " CUDA, sees 0 devices on ", host_name(),
          "; see whether nvidia-smi lists one there, whether the job has asked for it (Slurm: --gpus-per-node) and "
          "whether CUDA_VISIBLE_DEVICES hides it, or use \"cpu\"");
  const int index = rank_on_node % count;
  c10::impl::VirtualGuardImpl(torch::kCUDA).setDevice({torch::kCUDA, static_cast<c10::DeviceIndex>(index)});
  return cat("cuda:", index, " of ", count);
}

}  // namespace fleet
