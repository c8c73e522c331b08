// The transit engine of HashiCorp Vault behind the HTTP API of Vault, in memory: what the tests of Rind's `hv:` signer sign with.
// Only the engine is Vault's; the listener below speaks as much of Vault's protocol as the engine needs, and knows one token.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	log "github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/logical"
)

const mount = "/v1/transit/"

func main() {
	token := os.Args[1]
	storage := &logical.InmemStorage{}
	engine, err := transit.Factory(context.Background(), &logical.BackendConfig{
		Logger:      log.NewNullLogger(),
		System:      logical.TestSystemView(),
		StorageView: storage,
	})
	check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("http://%s\n", listener.Addr())
	check(http.Serve(listener, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.Header.Get("X-Vault-Token") != token {
			answer(writer, 403, map[string]any{"errors": []string{"permission denied"}})
			return
		}
		path, found := strings.CutPrefix(request.URL.Path, mount)
		if !found {
			answer(writer, 404, map[string]any{"errors": []string{"no handler for route"}})
			return
		}
		data := map[string]any{}
		operation := logical.Operation(logical.ReadOperation)
		if request.Method != http.MethodGet {
			operation = logical.UpdateOperation
			check(json.NewDecoder(request.Body).Decode(&data))
		}
		response, err := engine.HandleRequest(request.Context(), &logical.Request{
			Operation: operation, Path: path, Data: data, Storage: storage,
		})
		status, err := logical.RespondErrorCommon(&logical.Request{Operation: operation}, response, err)
		if err != nil || status >= 400 {
			messages := []string{}
			if err != nil {
				messages = append(messages, err.Error())
			}
			answer(writer, max(status, 400), map[string]any{"errors": messages})
			return
		}
		if response == nil {
			writer.WriteHeader(204)
			return
		}
		answer(writer, 200, map[string]any{"data": response.Data})
	})))
}

func answer(writer http.ResponseWriter, status int, body map[string]any) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	check(json.NewEncoder(writer).Encode(body))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
