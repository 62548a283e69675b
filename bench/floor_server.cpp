#include "bench/forwarder.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  CLI::App app{"Bare epoll forwarder: the floor that message servers are "
               "compared with. Listens on 127.0.0.1 until it is ended."};
  std::uint16_t port = 0;
  app.add_option("--port", port, "Port on 127.0.0.1; 0 takes a free one");
  CLI11_PARSE(app, argc, argv);
  try {
    vartalap::bench::forwarder server{port};
    std::cout << "listening on 127.0.0.1:" << server.port() << std::endl;
    server.run();
  } catch (const std::exception& error) {
    std::cerr << "floor_server: " << error.what() << '\n';
    return 1;
  }
}
