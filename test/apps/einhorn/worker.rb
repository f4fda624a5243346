# A worker for tests in Ruby: it takes its socket from EINHORN_FD_0, acknowledges on the control socket (einhyrningsins
# answers that, einhorn just closes the connection), answers every connection with `VERSION PID`, and exits on SIGUSR2.
#
# usage: worker.rb VERSION
require "json"
require "socket"

$stdout.sync = true
Signal.trap("USR2") { exit!(0) }
listener = TCPServer.for_fd(Integer(ENV.fetch("EINHORN_FD_0")))
master = UNIXSocket.new(ENV.fetch("EINHORN_SOCK_PATH"))
master.puts(JSON.generate(command: "worker:ack", pid: Process.pid))
puts "answered #{master.gets&.strip}"
master.close
puts "worker #{ARGV.fetch(0)} #{Process.pid} is here"
loop do
  connection = listener.accept
  connection.puts("#{ARGV.fetch(0)} #{Process.pid}")
  connection.close
end
